"""Faults of the browser tag: what its script tells, how it draws, and when a cookie ends."""

from collections.abc import Mapping

from planted.fault import Edit, Mutation

ROUTE = "tests/app/routes/test_tag.py"
RECOGNITION = "tests/app/identity/test_recognition.py"
DECIDES = "tests/browser/test_tag_decides.py"

TAG: Mapping[str, Mutation] = {
    "script_of_drafts": Mutation(
        "the script, which caches keep for everybody, is made of all that is defined",
        (f"{ROUTE}::test_the_script_holds_the_public_payload_and_what_a_page_must_know_of_its_shop",),
        (
            Edit(
                "app/delivery/payload.py",
                "visible, payload = resources.visible_to(None, now), self._payloads.get",
                "visible, payload = resources.catalogs.catalog.full, self._payloads.get",
            ),
        ),
    ),
    "script_that_ends": Mutation(
        "a payload may end the script that it stands in",
        (f"{ROUTE}::test_no_payload_ends_the_script_or_the_line",),
        (Edit("app/routes/tag.py", 'ESCAPED: Final = {"<": r"\\u003c", ', "ESCAPED: Final = {"),),
    ),
    "hash_by_code_points": Mutation(
        "the tag hashes code points, where everybody else hashes UTF-16",
        (f"{DECIDES}::test_hashes_ranges_and_conditions_are_those_of_the_published_cases",),
        (Edit("app/tag/source/assign.js", "text.charCodeAt(place++)", "text.codePointAt(place++)"),),
    ),
    "renewed_by_script": Mutation(
        "a measured visitor's cookie that a script set is renewed by the service",
        (f"{RECOGNITION}::test_in_measure_an_id_of_a_script_is_set_again_and_ends_when_its_first_cookie_would_have",),
        (
            Edit(
                "app/identity/recognition.py",
                "issued = day_of(visitor_id) if self.ids.issued(visitor_id) else since",
                "issued = day_of(visitor_id) if self.ids.issued(visitor_id) else None",
            ),
        ),
    ),
    "receipt_of_who_refuses": Mutation(
        "who refuses is given a cookie that says what was stored of them",
        ("tests/app/intake/test_receipts.py::test_what_is_refused_or_another_sites_gets_no_cookie",),
        (Edit("app/intake/tracking.py", " and not reading.gone:", ":"),),
    ),
}
