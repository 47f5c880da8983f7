"""Lists of keys as operators write them."""

import hashlib


def entry(name: str, kind: str = "secret", more: str = "") -> str:
    """The line of a key whose text is `<kind>_<name>`; `more` are further members."""
    digest = hashlib.sha256(f"{kind}_{name}".encode()).hexdigest()
    return f'  - {{name: {name}, class: {kind}, digest: "sha256:{digest}"{more}}}\n'


def listing(*entries: str) -> str:
    """The whole file."""
    return "keys:\n" + "".join(entries)
