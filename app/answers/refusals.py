"""What is refused, by its code: what is wrong, and behind the colon what ends it."""

from typing import Final, Literal, get_args

RefusalCode = Literal[
    "address_too_long",
    "against_the_decision",
    "analysis_failed",
    "analysis_timeout",
    "analysis_restarted",
    "analysis_unavailable",
    "answered_by_nobody",
    "audit_not_kept",
    "batch_too_large",
    "body_too_large",
    "catalogue_busy",
    "catalogue_too_large",
    "check_failed",
    "consent_none",
    "content_type_not_supported",
    "copy_torn",
    "data_damaged",
    "disk_full",
    "disk_unusable",
    "draft_too_large",
    "duplicate_slot",
    "encoding_not_supported",
    "erasure_journal_unusable",
    "event_too_large",
    "experiment_stopped",
    "flag_not_found",
    "foreign_form",
    "form_expected",
    "form_of_another_session",
    "form_sent_before",
    "form_too_large",
    "form_under_way",
    "headers_too_large",
    "host_missing",
    "invalid_attributes",
    "invalid_context",
    "invalid_currency",
    "invalid_cursor",
    "invalid_date",
    "invalid_days",
    "invalid_diversity",
    "invalid_field",
    "invalid_filter",
    "invalid_hours",
    "invalid_id",
    "invalid_limit",
    "invalid_plan",
    "invalid_products",
    "invalid_reason",
    "invalid_request",
    "invalid_slot",
    "invalid_time",
    "invalid_url",
    "method_not_allowed",
    "missing_event",
    "missing_id",
    "missing_order_id",
    "never_exposes",
    "no_erasure_journal",
    "not_found",
    "not_kept",
    "nothing_reads_it",
    "number_as_text",
    "number_too_large",
    "order_not_confirmed",
    "order_refused",
    "origin_not_allowed",
    "overloaded",
    "people_not_kept",
    "people_unreadable",
    "preview_key_not_kept",
    "rate_limited",
    "reason_needed",
    "respelled",
    "role_may_not",
    "scope_missing",
    "score_missing",
    "score_off_scale",
    "secret_key_in_address",
    "secret_key_required",
    "sessions_unavailable",
    "several_people",
    "share_not_kept",
    "shares_unreadable",
    "sign_in",
    "slow_body",
    "slow_request",
    "still_computing",
    "survey_key_not_kept",
    "survey_of_no_kind",
    "survey_unnamed",
    "targeting_key_missing",
    "ticket_of_page",
    "ticket_unnamed",
    "too_deep",
    "too_many_connections",
    "too_many_exclude",
    "too_many_experiments",
    "too_many_items",
    "too_many_keys",
    "too_many_shares",
    "too_many_sign_ins",
    "too_many_slots",
    "too_many_streams",
    "unauthorized",
    "uncountable_condition",
    "unexpected_error",
    "unknown_consent",
    "unknown_dimension",
    "unknown_draft",
    "unknown_experiment",
    "unknown_guide",
    "unknown_holdout",
    "unknown_kpi",
    "unknown_metric",
    "unknown_parameter",
    "unknown_path",
    "unknown_phase",
    "unknown_segment",
    "unknown_share",
    "unknown_slot",
    "unknown_strategy",
    "unknown_survey",
    "unknown_term",
    "unknown_type",
    "unknown_variant",
    "unreadable_body",
    "unreadable_catalogue",
    "unreadable_event",
    "unreadable_form",
    "unreadable_request",
    "user_alone",
]
"""Why something is refused, as a code.
`address_too_long`: The address of the request is longer than 8 kB: send what is long in a body.
`against_the_decision`: It would be shipped against the decision: tick that this is meant, or wait for the decision.
`analysis_failed`: The answer could not be computed: the log of the service says why.
`analysis_timeout`: The answer took too long to compute: ask again in a moment, or for less at once.
`analysis_restarted`: The process that computes answers ended under this question and is started again: ask it again.
`analysis_unavailable`: The process that computes answers is not there: ask again in a moment; /readyz says how it is.
`answered_by_nobody`: An answered ticket does not say by whom: send properties.by, agent or bot.
`audit_not_kept`: The audit cannot be written, so nothing was done: make room for it in the data directory, then ask
again.
`batch_too_large`: A batch has too many items: send several smaller ones.
`body_too_large`: The body is too large: send less at once.
`catalogue_busy`: Another catalogue of products is being taken up: send this one again in a moment.
`catalogue_too_large`: The catalogue of products is too large: send 64 MB at most.
`check_failed`: The definition files have mistakes: mend those that the message names, then start it.
`consent_none`: The user refuses everything, so nobody asks them: make no link for them.
`content_type_not_supported`: The body is of a kind that is not read here: send one of those that the message names.
`copy_torn`: Event store and event log are of different moments: restore a backup of `resonate backup`.
`data_damaged`: A file of the log is damaged or gone: put it back from a backup; `resonate verify` names it.
`disk_full`: The disk of the service is full, and nothing of the request is stored: make room there, and send it again.
`disk_unusable`: The disk of the service takes no files, and nothing of the request is stored: the log of the service
says why.
`draft_too_large`: The file of a draft would be too large: write less into it.
`duplicate_slot`: A slot is asked for twice: ask once for each.
`encoding_not_supported`: The body is packed in a way that is not read: send it as it is, or by gzip.
`erasure_journal_unusable`: The journal of erasures cannot be read or written: mend its file, which
RESONATE_ERASURE_JOURNAL names.
`event_too_large`: An event is larger than 32 kB: send less with it.
`experiment_stopped`: The experiment has stopped for good: begin a new phase of it in its file.
`flag_not_found`: No experiment of this key is served to who asks: ask for one that runs.
`foreign_form`: A form came from a page that is not of this service: open the page here, and send it from there.
`form_expected`: An address of pages takes forms alone: send what a form sends.
`form_of_another_session`: A form was made for another session: open its page again, and send it from there.
`form_sent_before`: The same form was sent before: look at what came of it.
`form_too_large`: A form has too much in it: write less than 500 kB.
`form_under_way`: The same form is still being answered: look at its page in a moment.
`headers_too_large`: The headers are larger than 16 kB: send fewer cookies, or none.
`host_missing`: The request names no host: send the header Host.
`invalid_attributes`: The attributes cannot be read: send an object with plain values.
`invalid_context`: The context or the user in it cannot be used: send what the message asks for.
`invalid_currency`: The currency is none: send a code of ISO 4217, as EUR.
`invalid_cursor`: The cursor is none of this list: send the `next` of the page before, as it was.
`invalid_date`: The date is none, or lies where there is no log: send one such as 2026-01-20, or a moment in UTC.
`invalid_days`: The number of days is none, or too large: send one within what the message says.
`invalid_diversity`: The diversity is none: send a number from 0 to 1.
`invalid_field`: A field cannot be used: send it as its message says.
`invalid_filter`: The filter of products cannot be read: use the fields and operators that the message names.
`invalid_hours`: The number of hours is none: send more than 0 and at most 720.
`invalid_id`: An id cannot be one: send the text or whole number that is the visitor's own.
`invalid_limit`: The limit is none: send a whole number from 1 to 100.
`invalid_plan`: The plan cannot be computed: send what its message asks for.
`invalid_products`: Products cannot be used as they are written: mend the rows that the message names.
`invalid_reason`: The reason is too long: write at most 500 characters.
`invalid_request`: A parameter or a member is wrong: send it as its message says.
`invalid_slot`: A slot cannot be asked for like this: send what its message asks for.
`invalid_time`: A time is none: send it as 2026-01-20T09:00:00Z, or leave it out.
`invalid_url`: The address of a page is none: send one that begins with https://.
`method_not_allowed`: The address takes other methods: send one of those that the header Allow names.
`missing_event`: An event has no name: send it as `event`.
`missing_id`: Nobody is named: send a visitor's id, or a user's.
`missing_order_id`: An order has no id, so that one that is sent again would count twice: send it as
properties.order_id.
`never_exposes`: Messages that are written in advance are seen by nobody yet: leave `expose` out, and tell when one is
opened.
`no_erasure_journal`: The service keeps no journal of erasures: set RESONATE_ERASURE_JOURNAL to its file.
`not_found`: There is nothing at this address: /docs lists every route.
`not_kept`: A file cannot be changed, so nothing was done: make room for it, and let the service write it.
`nothing_reads_it`: No metric reads events of this kind, so they are not stored: nothing is to be done.
`number_as_text`: A number came as a text and was taken: send numbers without quotes to end the note.
`number_too_large`: A number is beyond 2^63: send what is an id as text.
`order_not_confirmed`: Nobody said in time what became of an order: look at the status of the experiment before it is
sent again.
`order_refused`: The experiment does not take this order now: the message says which it takes.
`origin_not_allowed`: The key is not for pages of this origin: add the origin to the key, or to RESONATE_ORIGINS.
`overloaded`: The service has more to do than it can: ask again in a moment.
`people_not_kept`: Who may sign in cannot be written, so nothing was done: make room in the data directory.
`people_unreadable`: The file of people is damaged, and nobody is let in: put it back from a backup.
`preview_key_not_kept`: The key of preview links cannot be kept, so none was made: make room in the data directory.
`rate_limited`: More was asked for than the key or the network may: wait as long as Retry-After says.
`reason_needed`: An order needs a reason: write one of 3 to 500 characters.
`respelled`: A field came under another spelling and was taken: send the name that the note says.
`role_may_not`: The role of who is signed in may not do this: the message names those that may.
`scope_missing`: The key may not do this: give it the scope that the message names.
`score_missing`: An answer to a survey has no score: send properties.score, a number.
`score_off_scale`: A score is off its scale: send nps from 0 to 10, csat from 1 to 5, ces from 1 to 7.
`secret_key_in_address`: A secret key stands in an address, where logs keep it: send it as `Authorization: Bearer`,
and revoke this one.
`secret_key_required`: A page's key may not do this: let a backend ask with a secret key.
`sessions_unavailable`: Who is signed in cannot be looked up while the store is away: try again in a moment.
`several_people`: More than one user was seen with the id: say by `only` which of them are meant.
`share_not_kept`: Links to reports cannot be written, so nothing was done: make room in the data directory.
`shares_unreadable`: The file of links to reports is damaged: put it back from a backup.
`sign_in`: Nobody is signed in: open the page where one signs in.
`slow_body`: The body came too slowly: send it again, on a better line.
`slow_request`: The head of the request came too slowly: send it again, on a better line.
`still_computing`: The answer takes longer than a page waits, and is computed on: open the page again in a moment.
`survey_key_not_kept`: No key can be kept for the links of surveys: mend what the message names.
`survey_of_no_kind`: Nothing says on which scale a survey is answered: send kind nps, csat or ces.
`survey_unnamed`: Nothing says which survey it is: send properties.survey, its name.
`targeting_key_missing`: The context names no visitor: send the visitor's id as targetingKey.
`ticket_of_page`: A page tells of a ticket, which counts nowhere: send tickets with a secret key.
`ticket_unnamed`: Nothing says which ticket it is: send its id as properties.ticket_id.
`too_deep`: Objects are nested too deep: send at most 32 levels.
`too_many_connections`: The network holds too many connections: close some, or use one for several requests.
`too_many_exclude`: Too many products are left out: send at most 1,000.
`too_many_experiments`: Too many experiments are asked for at once: ask for fewer.
`too_many_items`: Too many products are named: send at most 200.
`too_many_keys`: An event has too many keys: send at most 512.
`too_many_shares`: There are too many links to reports: take back those that nobody needs.
`too_many_sign_ins`: There were too many attempts to sign in: wait as long as Retry-After says.
`too_many_slots`: Too many slots are asked for at once: ask for fewer.
`too_many_streams`: Too many pages wait for changes here: poll instead, and ask again later.
`unauthorized`: There is no key, or one that is not in force: send one that is; GET /v1/keys lists them.
`uncountable_condition`: A condition cannot be counted in the log: plan with conditions on what the log has.
`unexpected_error`: Something failed that nobody foresaw: ask again in a moment; the log of the service says what.
`unknown_consent`: The mode of consent is none: send none, measure or personal.
`unknown_dimension`: The experiment has no such dimension: ask for one of those that the message names.
`unknown_draft`: There is no draft of this key: choose one from the list.
`unknown_experiment`: There is no experiment of this key: ask for the one that was probably meant.
`unknown_guide`: There is no guide of this name: /llms.txt lists them.
`unknown_holdout`: There is no holdout of this name: ask for one of those that the message names.
`unknown_kpi`: There is no KPI of this name: ask for one that the message names.
`unknown_metric`: There is no metric of this name: ask for the one that was probably meant.
`unknown_parameter`: The route knows no parameter of this name: leave it out, or send the one that was meant.
`unknown_path`: It is the path of another vendor's client, and what it sent is not stored: set the client up as
docs/clients.md has it.
`unknown_phase`: The experiment has no such phase: ask for one that it had.
`unknown_segment`: There is no segment of this name: ask for one of segments.yaml.
`unknown_share`: There is no such link, or it holds no more: ask who gave it for a new one.
`unknown_slot`: There is no slot of this name: ask for one of recommendations.yaml.
`unknown_strategy`: There is no strategy of this name: ask for one of those that the message names.
`unknown_survey`: Nobody answered a survey of this name: ask for one that the message names.
`unknown_term`: The glossary has no such name: look up the one that was probably meant.
`unknown_type`: There is no type of event of this name: send track, page, screen, identify, group or alias.
`unknown_variant`: The experiment has no variant of this key: name one that it has.
`unreadable_body`: The body cannot be read: send it as docs/clients.md has it.
`unreadable_catalogue`: The catalogue of products cannot be read: send NDJSON, CSV with a line of names, or Parquet.
`unreadable_event`: An event is no JSON object: send each as an object, in a batch as an item of its list.
`unreadable_form`: What was sent is no form: send the form of a page.
`unreadable_request`: The request is no well-formed HTTP: send it with a client that speaks HTTP/1.1.
`user_alone`: An event names a user and no visitor, and no more than visitors may be known: send anonymousId with it.
"""
REFUSAL_CODES: Final[tuple[RefusalCode, ...]] = get_args(RefusalCode)
