"""What no line of the product names and is used all the same: the allow-list of vulture, with who uses it."""

# ruff: noqa
# pyright: basic
_: object

# Fields that a walk over the dataclass or struct serves, stores or counts by name.
_.bots
_.more_units
_.fdr
_.as_of_day
_.multi_exposure
_.units_immature
_.response_rate
_.final_beat_share
_.value_ci
_.cap_low
_.denominator_cap
_.denominator_cap_low
_.exploratory
_.control_value
_.z_pooled
_.against
_.p_adjusted
_.ci_simultaneous
_.units_seen
_.alpha_per_comparison
_.peek_proof
_.control_rate
_.treatment_rate
_.false_positive_rate
_.bad_rows
_.image_url
_.support
_.every_days
_.recommendation_id
_.exposure_source
_.page_view_id
_.engaged_ms
_.flush_failures
_.message_conflicts
_.history_failures
_.powerless_refunds
_.hashed_elsewhere
_.by_variant

# What other processes say on the board.
_.gauge

# What people may choose on the command line.
_.EDDSA

# Members of the program and the holdout report.
_.on
_.shrunk_lift
_.shrunk_ci
_.win_rate
_.win_rate_ci
_.median_days
_.units_issued

# Fields of definition files that are shown to people or to pages.
_.hypothesis

# Overridden or set for a library that calls or reads them by these names.
_.log_message
_.regex
_.data_received
_.on_header
_.on_message_begin
_.connection_class
_.more_body
_.message_event
_.total_requests
_.send_400_response
_._unsupported_upgrade_warning
_.handle_exit
_.should_exit
_.case_sensitive
_.log_errors
msg
sig
traceback

# Named in an annotation that is text, because its import is heavy.
TaskID

# What a test or a benchmark of the log asks for where the product asks for more at once.
live_parts

# Called by what it is a subclass of.
_.handle_starttag

# What uvicorn asks a cycle of a request for.
_.chunked_encoding

# What scripts/write_glossary.py writes, and what it and pages ask for.
answers_json
glossary_document
_.undescribed
descriptions

# What templates name.
_.cut_low
_.cut_high
_.zero
_.DECISIONS
_.USED_AS
_.harm_text
_.bound_text
_.worth_said
_.finished_at
# What pydantic calls.
_._of_status
_._one_form

# A member of an enumeration that the command line reads.
PUBLISHABLE
