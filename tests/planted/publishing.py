"""Faults of what pages may teach the recommender, and of what is published of it."""

from collections.abc import Mapping

from planted.fault import Edit, Mutation

COUNTING = "tests/recommender/training/test_counting.py"
POISONING = "tests/recommender/publishing/test_poisoning.py"
PUBLISHING: Mapping[str, Mutation] = {
    "count_baskets": Mutation(
        "popularity counts baskets, so that one person's many make a bestseller",
        (COUNTING,),
        (Edit("recommender/training/build.py", "purchases = once_each(purchases, at_day, half_life_days)", "pass"),),
    ),
    "count_pairs_of_baskets": Mutation(
        "a pair counts once for each basket of one person",
        (COUNTING, "tests/recommender/model/test_models.py"),
        (Edit("recommender/training/cooccurrence.py", "if self.again.nnz:", "if False:"),),
    ),
    "believe_every_network": Mutation(
        "one network's invented visitors all speak for others",
        (COUNTING,),
        (Edit("recommender/training/counting.py", "    return purchases.where(kept)", "    return purchases"),),
    ),
    "teach_what_was_given": Mutation(
        "a carrier bag of price 0 is a choice",
        ("tests/recommender/training/test_sources.py",),
        (Edit("recommender/training/order_lines.sql", " AND coalesce(price, 1) > 0", ""),),
    ),
    "page_returns_backend_lines": Mutation(
        "a page's refund takes back lines that a backend told of",
        ("tests/recommender/training/test_sources.py",),
        (Edit("recommender/training/order_lines.sql", " AND t.authority >= l.authority", ""),),
    ),
    "pages_vouch_for_growth": Mutation(
        "what grows because pages say so is taken for what grows without them",
        (POISONING,),
        (Edit("recommender/publishing/publish.py", "authorities > Authority.PAGE)", "authorities >= Authority.PAGE)"),),
    ),
    "publish_all_or_nothing": Mutation(
        "a refused strategy gets the new arrays like the others",
        (POISONING, "tests/recommender/publishing/test_former.py"),
        (Edit("recommender/publishing/former.py", "if each in refused and each in served]", "if False]"),),
    ),
    "accept_everything": Mutation(
        "whoever accepts one product accepts all",
        (POISONING,),
        (Edit("recommender/publishing/publish.py", "each.product in acceptance.products]", "acceptance.products]"),),
    ),
    "accept_without_a_record": Mutation(
        "what was accepted is published before it is recorded",
        (POISONING,),
        (
            Edit("recommender/publishing/publish.py", "        acceptance.record(growth)", "        pass"),
            Edit(
                "recommender/publishing/publish.py",
                "    publish_version(folder, version)\n",
                "    publish_version(folder, version)\n    list(map(acceptance.record, settled.accepted))\n",
            ),
        ),
    ),
    "learn_from_too_little": Mutation(
        "orders of backends alone teach although they teach worse",
        ("tests/recommender/publishing/test_learning.py",),
        (Edit("recommender/publishing/gate.py", "elif own < other * (1 - TOLERANCE)", "elif own < 0"),),
    ),
}
