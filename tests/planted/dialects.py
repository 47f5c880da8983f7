"""Faults of dialects that others made, and of what goes to many recipients at once."""

from collections.abc import Mapping

from planted.fault import Edit, Mutation

GA4 = "tests/events/dialects/test_ga4.py"
COLLECT = "tests/app/intake/test_ga4.py"
BATCH = "tests/app/management/test_personalize_batch.py"
ARRIVES = "tests/clients/test_every_client_arrives.py"
SHOP = "tests/browser/test_example_shop.py"
LIBRARIES = "tests/app/intake/test_libraries.py"

DIALECTS: Mapping[str, Mutation] = {
    "orders_without_transactions": Mutation(
        "an order of Google Analytics 4 has no id",
        (GA4,),
        (Edit("events/dialects/ga4.py", '        "transaction_id": "order_id",\n', ""),),
    ),
    "refunds_that_cancel": Mutation(
        "a refund of some items takes the whole order away",
        (GA4,),
        (
            Edit(
                "events/dialects/ga4.py",
                "elif call.unvalued and not priced:",
                "elif call.unvalued:",
            ),
        ),
    ),
    "denied_and_known": Mutation(
        "who denies Google Analytics storage is stored",
        (GA4, COLLECT),
        (Edit("events/dialects/ga4.py", "if answers.get(name) == DENIED)", "if answers.get(name) is None)"),),
    ),
    "sent_again_and_counted": Mutation(
        "a body of Google Analytics 4 that is sent again counts again",
        (GA4,),
        (Edit("events/dialects/ga4.py", '        item["messageId"] =', '        item["unread"] ='),),
    ),
    "another_table_in_pages": Mutation(
        "pages read their data layer by another table than the service",
        (GA4,),
        (Edit("app/tag/source/generated/ga4.js", '"event": "Order Completed"', '"event": "purchase"'),),
    ),
    "secret_in_collect": Mutation(
        "a secret key is taken from an address of Google's",
        (COLLECT,),
        (
            Edit(
                "app/intake/ga4.py",
                "admit_key(exchange, resources.access, key, in_address=in_address)",
                "admit_key(exchange, resources.access, key)",
            ),
        ),
    ),
    "mail_that_is_seen": Mutation(
        "a recipient may be exposed by being written to",
        (BATCH,),
        (Edit("app/management/personalize_batch.py", "    if body.expose:", "    if False:"),),
    ),
    "refused_and_written_to": Mutation(
        "who refuses is written to by their own variant",
        (BATCH,),
        (
            Edit(
                "app/management/personalize_batch.py",
                "NOBODY if consent is NONE else told.visitor_id",
                "told.visitor_id",
            ),
        ),
    ),
    "evaluations_in_python": Mutation(
        "what GrowthBook's Python SDK says of each feature it evaluates is refused",
        (ARRIVES,),
        (Edit("events/dialects/names.py", '"Feature Evaluated", "$$feature_evaluated")', '"Feature Evaluated",)'),),
    ),
    "rows_of_no_library": Mutation(
        "rows of who is measured say no library, refusals do",
        (LIBRARIES,),
        (Edit("events/permitted.py", "kept = told_library(context) | {", "kept = {"),),
    ),
    "nameless_growthbook": Mutation(
        "rows of GrowthBook's SDKs say no library, refusals do",
        (LIBRARIES,),
        (Edit("events/dialects/growthbook.py", '= {LIBRARY: {"name": GROWTHBOOK}}', "= {}"),),
    ),
    "measured_tests_count": Mutation(
        "a test event of who is measured counts",
        ("tests/app/routes/test_events_that_are_tests.py",),
        (Edit("events/permitted.py", "    if is_test(record):", "    if False:"),),
    ),
    "empty_text_first": Mutation(
        "an empty text under one of GrowthBook's names hides the object under the other",
        ("tests/events/dialects/test_growthbook.py",),
        (Edit("events/dialects/growthbook.py", 'not in (None, "") else name', "is not None else name"),),
    ),
    "forced_by_force": Mutation(
        "what a developer's tool forces costs the answer where it cannot be read",
        ("tests/app/delivery/test_official_sdks.py",),
        (Edit("app/routes/growthbook.py", "    url: Any = None", "    url: str | None = None"),),
    ),
    "asked_after_a_refusal": Mutation(
        "the example shop says a refusal after the tag has asked",
        (SHOP,),
        (Edit("app/demo/example_shop/pages/index.html", "if (localStorage.refused)", "if (0)"),),
    ),
    "other_prices": Mutation(
        "the example shop writes its prices otherwise than the tag",
        (SHOP,),
        (Edit("app/demo/example_shop/pages/shop.js", "money.format(price)", "`${price} €`"),),
    ),
}
