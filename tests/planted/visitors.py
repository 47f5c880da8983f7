"""Faults of visitor ids and of the cookie that holds them."""

from collections.abc import Mapping

from planted.fault import Edit, Mutation

IDS = "tests/app/identity/test_visitor_ids.py"
RECOGNITION = "tests/app/identity/test_recognition.py"
ROUTES = "tests/app/routes/test_visitor.py"

VISITORS: Mapping[str, Mutation] = {
    "ids_of_anybody": Mutation(
        "whatever has the form of an id was issued here",
        (IDS, ROUTES),
        (
            Edit(
                "app/identity/visitor_ids.py",
                "and hmac.compare_digest(_written(day, key, random).encode(), visitor_id.encode())",
                "",
            ),
        ),
    ),
    "ids_of_a_stolen_key": Mutation(
        "a retired key goes on issuing",
        (IDS,),
        (Edit("app/identity/visitor_ids.py", "day <= self.retired + 1", "True"),),
    ),
    "cookie_of_foreign_pages": Mutation(
        "every page is answered for the cookie of whoever looks at it",
        (ROUTES,),
        (Edit("app/worker/resources.py", "return place if allowed else None", "return place"),),
    ),
    "cookie_by_star": Mutation(
        "`*` lists every origin",
        (ROUTES, "tests/app/http/test_page_headers.py"),
        (
            Edit(
                "app/http/access.py", "self.origins is not ANY_ORIGIN and origin in", "'*' in self.origins or origin in"
            ),
        ),
    ),
    "cookie_that_never_ends": Mutation(
        "an id that is set again in measure lasts longer",
        (RECOGNITION,),
        (Edit("app/identity/recognition.py", "if mode is not Consent.MEASURE:", "if mode is not Consent.NONE:"),),
    ),
    "cookie_of_who_refuses": Mutation(
        "who refuses keeps the cookie",
        (ROUTES,),
        (Edit("app/identity/recognition.py", "if self.rules.holds(cookies) else []", "if False else []"),),
    ),
    "cookie_of_other_domains": Mutation(
        "the cookie is set for a domain that the host only ends like",
        (RECOGNITION,),
        (Edit("app/identity/cookies.py", 'host.endswith(f".{self.domain}")', "host.endswith(self.domain)"),),
    ),
    "credentials_for_all": Mutation(
        "CORS allows credentials for pages that no key lists",
        ("tests/app/http/test_page_headers.py",),
        (Edit("app/http/exchange.py", '(pages == "keyed" or exchange.origin_listed)', "True"),),
    ),
    "unmarked_ids": Mutation(
        "rows of events do not say that their id was issued",
        (ROUTES,),
        (
            Edit(
                "app/intake/tracking.py",
                "resources.recognition.ids.marked(records)",
                "records",
            ),
        ),
    ),
    "silent_guessing": Mutation(
        "ids that anybody guesses are named nowhere",
        ("tests/experiments/readout/test_unit_ids.py",),
        (Edit("events/views/identifiers.py", 'f"{COUNTER}|{EMAIL}"', "EMAIL"),),
    ),
    "report_of_no_faults": Mutation(
        "`resonate privacy` ends well whatever it found",
        ("tests/app/analysis/test_privacy.py",),
        (Edit("app/analysis/privacy.py", '"fails": is_offered and any(', '"fails": False and any('),),
    ),
}
