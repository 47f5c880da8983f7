"""Faults of what is told of pages, and of what variants change on them."""

from collections.abc import Mapping

from planted.fault import Edit, Mutation

TOLD = "tests/app/routes/test_page_attributes.py"
ATTRIBUTES = "tests/experiments/targeting/test_attributes.py"
MISTAKES = "tests/experiments/page/test_page_mistakes.py"
COUNTRY = "tests/app/routes/test_country.py"
REDIRECTS = "tests/experiments/readout/test_redirects.py"

PAGES: Mapping[str, Mutation] = {
    "agent_of_a_backend": Mutation(
        "a backend's own user agent is taken for its visitor's",
        (TOLD,),
        (Edit("app/routes/evaluation.py", "visible.asks_agent and not grant.secret", "visible.asks_agent"),),
    ),
    "agent_in_the_log": Mutation(
        "the user agent that an audience asked goes into the log",
        (TOLD,),
        (Edit("app/routes/evaluation.py", "FORCE_ATTRIBUTE, AGENT, PROXY}", "FORCE_ATTRIBUTE, PROXY}"),),
    ),
    "page_reads_otherwise": Mutation(
        "the page reads a + in a path as a space, the service does not",
        (ATTRIBUTES,),
        (Edit("app/tag/source/attributes.js", "replace(/[+&]/g", "replace(/&/g"),),
    ),
    "last_parameter": Mutation(
        "the service takes the last parameter of a name, the page the first",
        (ATTRIBUTES,),
        (Edit("experiments/targeting/attributes.py", "dict(reversed(given))", "dict(given)"),),
    ),
    "scripts_in_changes": Mutation(
        "HTML of a change may hold scripts",
        (MISTAKES,),
        (Edit("experiments/page/markup.py", "if tag in FORBIDDEN:", "if tag in ():"),),
    ),
    "redirects_anywhere": Mutation(
        "a redirect may leave the shop",
        (MISTAKES,),
        (
            Edit(
                "experiments/page/redirects.py", "return None if is_among(host, hosts) else", "return None if host else"
            ),
        ),
    ),
    "redirects_in_circles": Mutation(
        "a redirect may come back by way of two others",
        (MISTAKES,),
        (Edit("experiments/page/redirects.py", "found = onward((*way, each))", "found = ()"),),
    ),
    "destroyed_by_others": Mutation(
        "a variant may change what another one destroys",
        (MISTAKES,),
        (Edit("experiments/page/check.py", 'if within and "content"', 'if not within and "content"'),),
    ),
    "lost_on_the_way": Mutation(
        "whoever comes back some day has arrived",
        (REDIRECTS,),
        (Edit("experiments/cube/sql/followed_by_page.sql", " AND e.time <= u.exposed_at + $soon", ""),),
    ),
    "country_of_a_backend": Mutation(
        "where a backend's own request comes from is taken for its visitor's country",
        (COUNTRY,),
        (Edit("app/routes/evaluation.py", "visible.asks_proxy and not grant.secret", "visible.asks_proxy"),),
    ),
    "country_of_anybody": Mutation(
        "whoever sends the header of the country is believed, trusted proxy or not",
        (f"{COUNTRY}::test_a_header_that_nobody_vouches_for_says_nothing",),
        (
            Edit(
                "app/worker/resources.py",
                "header is None or not self.access.networks.through_trusted(exchange.scope)",
                "header is None",
            ),
        ),
    ),
    "country_for_all": Mutation(
        "caches keep for everybody the script that names one visitor's country",
        (f"{COUNTRY}::test_the_script_of_an_audience_by_country_is_for_one_caller",),
        (Edit("app/routes/tag.py", 'CACHE_CONTROL.replace(b"public", b"private")', "CACHE_CONTROL"),),
    ),
    "page_before_its_exposure": Mutation(
        "who stays on the page of a redirect test is lost where it is told to be older than the exposure",
        (f"{REDIRECTS}::test_who_stays_has_arrived_though_their_page_is_told_to_be_a_little_older",),
        (
            Edit(
                "experiments/cube/sql/followed_by_page.sql",
                "e.time >= u.exposed_at OR (e.url = x.url AND e.time >= u.exposed_at - $soon)",
                "e.time >= u.exposed_at",
            ),
        ),
    ),
    "lose_what_follows_a_number_sign": Mutation(
        "a # inside a text that nobody quoted cuts it, and nobody is told",
        ("tests/experiments/definitions/test_yaml.py",),
        (Edit("kit/yaml.py", "            if lost is not None:", "            if False:"),),
    ),
}
