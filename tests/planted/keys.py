"""Faults of what keys may do, of how they come and go, and of who is told who steered."""

from collections.abc import Mapping

from planted.fault import Edit, Mutation

SCOPES = "tests/app/keys/test_scopes.py"
FILE = "tests/app/keys/test_file.py"
LISTED = "tests/app/keys/test_listed.py"
AUDIT = "tests/app/keys/test_audit.py"
ROUTES = "tests/app/management/test_audit.py"

KEYS: Mapping[str, Mutation] = {
    "scope_forgotten": Mutation(
        "a key is let in without the scope of the route",
        (SCOPES,),
        (Edit("app/http/admission.py", "if exchange.needs not in grant.scopes:", "if exchange.needs is None:"),),
    ),
    "told_by_any_secret": Mutation(
        "texts and names of what is not right are told to secret keys that may not read results",
        (SCOPES,),
        (Edit("app/management/operations.py", 'and "read_results" in grant.scopes else None', "else None"),),
    ),
    "widened_pages": Mutation(
        "a publishable key may be given what secret keys may do",
        (FILE,),
        (Edit("app/keys/file.py", "PAGE_SCOPES if page else SCOPES, page=page", "SCOPES, page=False"),),
    ),
    "shown_key": Mutation(
        "a key in place of its digest is shown with the mistake",
        (FILE,),
        (Edit("app/keys/file.py", 'write digest: "{digest_of(node.text)}" in', 'not "{node.text}", in'),),
    ),
    "bad_file_obeyed": Mutation(
        "a file of keys with a mistake takes all keys away",
        (LISTED,),
        (
            Edit(
                "app/keys/listed.py",
                "problems = error.problems",
                "problems, listed = error.problems, KeyList()",
            ),
        ),
    ),
    "half_saved_keys": Mutation(
        "a file of keys is taken while it is being saved",
        (LISTED,),
        (Edit("app/keys/listed.py", "SETTLED_SECONDS: Final = 0.15", "SETTLED_SECONDS: Final = 0.0"),),
    ),
    "endless_keys": Mutation(
        "a key is in force beyond its end",
        (LISTED,),
        (Edit("app/keys/named.py", "if key.expires is None or now < key.expires)", "if key)"),),
    ),
    "unstamped_site": Mutation(
        "an exposure does not carry the site of its key",
        (LISTED,),
        (
            Edit(
                "app/routes/evaluation.py",
                "    site = None if exchange.grant is None else exchange.grant.site\n",
                "    site = None\n",
            ),
        ),
    ),
    "told_afterwards": Mutation(
        "a resume is done before its line is in the audit",
        (ROUTES,),
        (
            Edit(
                "experiments/catalog/overrides.py",
                "        tell(*change)\n"
                "        keep_file(paths.overrides, overrides_json({**overrides, told.key: new}), Ballast(data))\n",
                "        keep_file(paths.overrides, overrides_json({**overrides, told.key: new}), Ballast(data))\n"
                "        tell(*change)\n",
            ),
        ),
    ),
    "audit_in_the_way": Mutation(
        "a pause waits for its line",
        (ROUTES,),
        (Edit("app/control/orders.py", "if asked.action in WAITS_FOR_THE_AUDIT:", "if asked.action:"),),
    ),
    "unsynced_audit": Mutation(
        "a line of the audit is not on the disk when the act is answered",
        (AUDIT,),
        (
            Edit(
                "kit/files.py",
                "added, length)\n            os.fsync(descriptor)\n",
                "added, length)\n",
            ),
        ),
    ),
    "torn_audit": Mutation(
        "a line of the audit is added to one that a crash tore",
        (AUDIT,),
        (Edit("app/keys/audit.py", "_whole_bytes(path), added)", "path.stat().st_size, added)"),),
    ),
    "named_people": Mutation(
        "people stand in the audit by their ids",
        (ROUTES,),
        (Edit("app/management/audit.py", 'f"{kind}:{exact_digest(identifier)}"', 'f"{kind}:{identifier}"'),),
    ),
}
