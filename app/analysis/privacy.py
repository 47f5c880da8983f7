"""What `resonate privacy` reports: what is kept of whom, by the settings that hold and by what the log has."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

from app.analysis.state import Analysis
from app.http.access import configured_keys, listed_grants
from app.identity.consent import COOKIE as CONSENT_COOKIE
from app.identity.consent import ConsentRules
from app.identity.cookies import CookieRules
from app.keys.named import FollowedKeys
from app.people.file import PeopleUnreadable, read_people
from app.runtime.data_directory import DataDirectory
from events.consent import Consent
from events.deletes.tombstones import read_tombstones
from events.scrubbing import ADDRESSES, ADVERTISING
from events.views.identifiers import IdSurvey, survey_ids
from kit.time import iso, microseconds

MANY_GUESSABLE: Final = 0.01
LONGEST_RETENTION: Final = 760  # days: 25 months
HISTORY_DAYS: Final = 400
LOG_IN_HOURS: Final = 720
WHAT_THIS_IS: Final = (
    "A self-assessment by the service, from its settings and its log. It is no legal advice, and no authority has"
    " looked at it; the conditions are those under which the CNIL holds audience measurement exempt from consent."
)
SAFARI: Final = (
    "Safari keeps a cookie for 7 days that a script set, or a server whose address is in another network than the"
    " site's (CNAMEs too): serve this service under the shop's own host, through the shop's proxy or edge, and let"
    " POST /v1/visitor set the cookie."
)

State = Literal["met", "not met", "for the shop to say"]


@dataclass(frozen=True, slots=True)
class ExemptionCondition:
    """One condition, how it stands and why, and who has it in hand."""

    condition: str
    state: State
    because: str
    controlled_by: Literal["service", "shop"]


def signed_in_readers(data: Path) -> list[str]:
    """The e-mails of those who may look at visitors on pages; nobody where the file of people is damaged."""
    try:
        known = read_people(DataDirectory(data).people_file)
    except PeopleUnreadable:
        return []
    return sorted(person.email for person in known.people if "read_people" in person.scopes)


def privacy_report(analysis: Analysis) -> dict[str, Any]:
    """The whole report, open points first. Raises DataDamaged."""
    settings, shop, now = analysis.settings, analysis.catalogs.latest().shop, analysis.readouts.now()
    rules = ConsentRules(shop.privacy, public=settings.is_public)
    cookie, found = CookieRules.of(shop), survey_ids(analysis.log, microseconds(now))
    is_offered = measure_is_offered(rules, found, public=settings.is_public)
    conditions = conditions_of(rules, cookie, settings.retention_days)
    keys, listed = configured_keys(settings, settings.data), FollowedKeys(settings.data)
    if settings.keys is not None and listed.poll(now.timestamp()):
        keys.follow(listed_grants(listed.in_force, settings.origins), listed.ended)
    erasures = {
        "journal": None if settings.erasure_journal is None else str(settings.erasure_journal),
        "erased_ids": len(read_tombstones(settings.data)),
    }
    return {
        "as_of": iso(now),
        "what_this_is": WHAT_THIS_IS,
        "open": open_points(conditions, rules, found, erasures),
        "measure_is_offered": is_offered,
        "fails": is_offered and any(each.state == "not met" and each.controlled_by == "service" for each in conditions),
        "conditions": [asdict(each) for each in conditions],
        "modes": modes(settings.retention_days),
        "consent": {
            "nothing_said": rules.unsaid.word,
            "nothing_said_by_a_backend": rules.silent_backend.unsaid.word,
            "global_privacy_control": shop.privacy.gpc,
            "chosen": rules.chosen,
        },
        "consent_of_30_days": {
            "answers": found.answers,
            "shares": parts_of_all(found.answers),
            "visitors": found.visitors_by_consent,
        },
        "cookies": cookies(cookie, settings.public_url),
        "retention": {
            "events_days": settings.retention_days,
            "purchases_days": HISTORY_DAYS,
            "log_ins_hours_at_most": LOG_IN_HOURS,
        },
        "scrubber": {
            "addresses": sorted(ADDRESSES),
            "advertising": sorted(ADVERTISING),
            "deny": list(shop.privacy.deny),
            "keep": list(shop.privacy.keep),
        },
        "who_may_read_people": [
            *(grant.name for grant in keys.grants if "read_people" in grant.scopes),
            *signed_in_readers(settings.data),
        ],
        "erasures": erasures,
        "ids": {
            "users": found.users,
            "users_that_look_like_emails": share(found.emails, found.users),
            "page_visitors": found.visitors,
            "issued": share(found.issued, found.visitors),
            "guessable": share(found.guessable, found.visitors),
        },
        "safari": SAFARI,
    }


def measure_is_offered(rules: ConsentRules, found: IdSurvey, *, public: bool) -> bool:
    """Whether anybody is measured without being asked, or chose to be: by what holds, or by what the log has."""
    by_objection = public and min(rules.unsaid, rules.opted_out) is Consent.MEASURE
    chosen = rules.unsaid is Consent.MEASURE or rules.silent_page.categories is not None
    return chosen or by_objection or found.visitors_by_consent["measure"] > 0


def conditions_of(rules: ConsentRules, cookie: CookieRules, retention_days: int) -> tuple[ExemptionCondition, ...]:
    """The conditions of the CNIL, each as it stands."""
    joins = rules.silent_backend.unsaid is Consent.PERSONAL
    kept_long = retention_days > LONGEST_RETENTION
    return (
        ExemptionCondition(
            "own_purpose",
            "for the shop to say",
            "the service passes nothing on; say that whoever holds a secret key uses it for the shop's own count alone",
            "shop",
        ),
        ExemptionCondition(
            "objection",
            "for the shop to say",
            "consent: none stores nothing, reads no cookie and deletes it; say that people find how to object",
            "shop",
        ),
        ExemptionCondition(
            "no_joining",
            "not met" if joins else "met",
            "backends' events without a consent are stored with their users; write privacy: {backend_consent: measure}"
            if joins
            else "in measure rows have the visitor id alone: no user, attributes, traits or purchase history",
            "service",
        ),
        ExemptionCondition(
            "cookie_13_months",
            "met",
            f"the cookie lasts {cookie.days} days (395 at the most), and its end is never moved in measure",
            "service",
        ),
        ExemptionCondition(
            "data_25_months",
            "not met" if kept_long else "met",
            f"events are kept for {retention_days} days"
            + (f"; set RESONATE_RETENTION_DAYS to {LONGEST_RETENTION} or less" if kept_long else ""),
            "service",
        ),
    )


def open_points(
    conditions: tuple[ExemptionCondition, ...], rules: ConsentRules, found: IdSurvey, erasures: dict[str, Any]
) -> list[dict[str, str]]:
    """What somebody has to do or to say, the worst first."""
    points = [("condition_not_met", each.condition, each.because) for each in conditions if each.state == "not met"]
    if not rules.chosen:
        told = "nothing says what holds for who says nothing; write privacy: {default_consent: …} in shop.yaml"
        points.append(("consent_not_chosen", "default_consent", told))
    if found.visitors and found.guessable / found.visitors > MANY_GUESSABLE:
        told = (
            f"{found.guessable} of the {found.visitors} visitor ids that pages sent look like counters, e-mails or user"
            " ids: who guesses one acts as that browser; let POST /v1/visitor issue them"
        )
        points.append(("visitor_ids_guessable", "visitor ids", told))
    if found.emails:
        told = f"{found.emails} of {found.users} user ids look like e-mails; send ids that say nothing"
        points.append(("user_ids_are_emails", "user ids", told))
    if erasures["journal"] is None:
        told = "a data directory put back from a copy brings back who was erased since; set RESONATE_ERASURE_JOURNAL"
        points.append(("no_erasure_journal", "erasures", told))
    points += [("to_say", each.condition, each.because) for each in conditions if each.state == "for the shop to say"]
    return [{"code": code, "of": of, "detail": detail} for code, of, detail in points]


def modes(retention_days: int) -> dict[str, dict[str, Any]]:
    """What each mode of consent keeps, for how many days, and where."""
    return {
        "none": {
            "log": "one count of answers per experiment and shop day, without variant and without any id",
            "log_days": retention_days,
            "store": "nothing",
            "device": "no cookie; one that is there is deleted",
        },
        "measure": {
            "log": "rows under the visitor id alone, with device and browser family, country, URL without its query",
            "log_days": retention_days,
            "store": "nothing of the visitor's past",
            "device": "one cookie, whose end is never moved",
        },
        "personal": {
            "log": "events with user, attributes, traits and context, as the scrubber leaves them",
            "log_days": retention_days,
            "store": f"purchases, {HISTORY_DAYS} days; who is logged in, {LOG_IN_HOURS} hours at the most",
            "device": "one cookie, whose end is moved once a day",
        },
    }


def cookies(cookie: CookieRules, public_url: str | None) -> list[dict[str, Any]]:
    """Every cookie that is set or read, with its attributes."""
    https = public_url is not None and public_url.startswith("https:")
    return [
        {
            "name": cookie.name,
            "holds": "the visitor id",
            "path": "/",
            "same_site": "Lax",
            "domain": cookie.domain,
            "days": cookie.days,
            "secure": True if https else "where the browser came by https",
            "http_only": cookie.http_only,
            "modes": ["measure", "personal"],
        },
        {"name": CONSENT_COOKIE, "holds": "the mode of consent that a page wrote; it is read, and never set here"},
    ]


def share(part: int, whole: int) -> dict[str, Any]:
    """A number and its share, None of nothing."""
    return {"count": part, "share": part / whole if whole else None}


def parts_of_all(counts: dict[str, int]) -> dict[str, float | None]:
    """Each count as a share of all."""
    whole = sum(counts.values())
    return {name: count / whole if whole else None for name, count in counts.items()}
