"""How an operation of the OpenAPI document is called: with curl, from JavaScript and from Python."""

import json
import shlex
from dataclasses import dataclass
from typing import Any, Final, NamedTuple
from urllib.parse import quote

from app.keys.scopes import BY_ROUTE, PAGE_SCOPES

JSON = dict[str, Any]

PUBLISHABLE_KEY: Final = "PUBLISHABLE_KEY"
SECRET_KEY: Final = "SECRET_KEY"
OF_PAGES: Final = "pk_demo"  # the key in examples of addresses
STREAM: Final = "text/event-stream"
JSON_TYPE: Final = "application/json"
# of scopes that pages have too
BACKENDS_ALONE: Final = ("/v1/personalize/batch", "/v1/surveys/links", "/v1/visitors/{identifier}/proof")
NEEDED: Final = {
    "/v1/plan": ["units_a_day=1000", "baseline=3%25", "lift=5%25"]
}  # where a question says more than its path
_SCOPES: Final = {route.replace(":path}", "}").replace(":visitor}", "}"): scope for route, scope in BY_ROUTE.items()}


class WrittenCall(NamedTuple):
    """One call in three languages."""

    curl: str
    javascript: str
    python: str


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a call sends: its address behind that of the service, with `pk_demo` where a key stands in it; its key, its
    body, and what it gets."""

    method: str
    address: str
    key: str | None
    body: Any
    kind: str
    answers: frozenset[str]

    @property
    def is_json(self) -> bool:
        return self.kind == JSON_TYPE

    @property
    def read(self) -> str:
        """What is read of the answer, in JavaScript."""
        return "json" if JSON_TYPE in self.answers else "text"

    @property
    def is_stream(self) -> bool:
        return STREAM in self.answers


def key_needed(method: str, path: str) -> str | None:
    """The variable of the key that a call shows: that of pages wherever pages may call; None where none is needed."""
    scope = _SCOPES.get(f"{method.upper()} {path}")
    if scope is None:
        return None
    return PUBLISHABLE_KEY if scope in PAGE_SCOPES and path not in BACKENDS_ALONE else SECRET_KEY


def call_of(method: str, path: str, operation: JSON) -> WrittenCall:
    """How an operation is called with its own example; its variables are `SERVICE` and the two keys."""
    asked = _asked(method.upper(), path, operation)
    return WrittenCall(_curl(asked), _javascript(asked), _python(asked))


def _asked(method: str, path: str, operation: JSON) -> _Asked:
    address, query = path, [*NEEDED.get(path, ())]
    for each in operation.get("parameters", ()):
        shown = quote(str(each.get("example", "")), safe="")
        if each["in"] == "path":
            address = address.replace(f"{{{each['name']}}}", shown)
        elif each["in"] == "query" and each.get("required"):
            query.append(f"{each['name']}={shown}")
    sent = operation.get("requestBody", {}).get("content", {})
    kind = next((kind for kind, told in sent.items() if "example" in told), "")
    return _Asked(
        method=method,
        address="?".join(filter(None, [address, "&".join(query)])),
        key=None if OF_PAGES in "".join([address, *query]) else key_needed(method, path),
        body=sent[kind]["example"] if kind else None,
        kind=kind,
        answers=frozenset(
            kind
            for status, answer in operation["responses"].items()
            if status.startswith("2")
            for kind in answer.get("content", {})
        ),
    )


def _curl(asked: _Asked) -> str:
    address = asked.address.replace(OF_PAGES, f"${PUBLISHABLE_KEY}")
    verb = "" if asked.method == ("GET" if asked.body is None else "POST") else f" -X {asked.method}"
    call = f'curl -sf{"N" if asked.is_stream else ""}{verb} "$SERVICE{address}"'
    if asked.key is not None:
        call += f' -H "Authorization: Bearer ${asked.key}"'
    if asked.body is None:
        return call
    if not asked.is_json:
        call += f' -H "Content-Type: {asked.kind}"'
    text = json.dumps(asked.body, ensure_ascii=False) if asked.is_json else asked.body
    return f"{call} \\\n  {'-d' if asked.is_json else '--data-binary'} {shlex.quote(text)}"


def _javascript(asked: _Asked) -> str:
    address = "`${SERVICE}" + asked.address.replace(OF_PAGES, f"${{{PUBLISHABLE_KEY}}}") + "`"
    told: list[str] = [] if asked.method == "GET" else [f'method: "{asked.method}"']
    headers = [] if asked.key is None else [f"Authorization: `Bearer ${{{asked.key}}}`"]
    if asked.body is not None and not asked.is_json:
        headers.append(f'"Content-Type": "{asked.kind}"')
    if headers:
        told.append(f"headers: {{ {', '.join(headers)} }}")
    if asked.body is not None:
        text = json.dumps(asked.body, ensure_ascii=False)
        told.append(f"body: JSON.stringify({text})" if asked.is_json else f"body: {text}")
    options = "\n".join([", {", *(f"  {each}," for each in told), "}"]) if told else ""
    if asked.is_stream:
        read = (
            "const text = new TextDecoder();\nfor await (const piece of answer.body) console.log(text.decode(piece));"
        )
    else:
        read = f"console.log(await answer.{asked.read}());"
    return f"const answer = await fetch({address}{options});\n{read}"


def _python(asked: _Asked) -> str:
    address = asked.address.replace(OF_PAGES, f"{{{PUBLISHABLE_KEY}}}")
    told = [f'f"{{SERVICE}}{address}"']
    headers = [] if asked.key is None else [f'"Authorization": f"Bearer {{{asked.key}}}"']
    if asked.body is not None and not asked.is_json:
        headers.append(f'"Content-Type": "{asked.kind}"')
    if headers:
        told.append(f"headers={{{', '.join(headers)}}}")
    if asked.body is not None:
        told.append(f"{'json' if asked.is_json else 'content'}={_literal(asked.body)}")
    if asked.is_stream:
        lines = [f'with httpx.stream("GET", {", ".join(told)}, timeout=None) as answer:',
                 "    for line in answer.iter_lines():", "        print(line)"]  # fmt: skip
        return "\n".join(["import httpx", "", *lines])
    if asked.key == SECRET_KEY:
        told.append("timeout=60")  # a readout may take longer than the 5 s of httpx
    function = asked.method.lower()
    if function == "delete" and asked.body is not None:  # httpx.delete takes none
        function, told = "request", ['"DELETE"', *told]
    read = "json()" if asked.read == "json" else "text"
    calling = [f"answer = httpx.{function}(", *(f"    {each}," for each in told), ")", f"print(answer.{read})"]
    return "\n".join(["import httpx", "", *calling])


def _literal(value: Any) -> str:
    """What JSON says, as Python writes it."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_literal(name)}: {_literal(each)}' for name, each in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_literal, value))}]"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)
