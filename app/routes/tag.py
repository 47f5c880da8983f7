"""The browser tag: the library with what a shop's pages need before it, the bare library, its parts, and its types."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from app.delivery.payload import CACHE_CONTROL, FEATURES_PREFIX, Features, Payload, Payloads, admit_sdk
from app.http.admission import admit
from app.http.compression import Kept
from app.http.dispatch import HotRoute
from app.http.errors import Headers
from app.http.exchange import Exchange, HttpAnswer
from app.tag.library import TYPES, BuiltTag
from app.worker.resources import Resources
from events.consent import Consent
from experiments.targeting.attributes import AGENT_FAMILIES, of_proxy
from kit.time import now_seconds

SCRIPT: Final = b"text/javascript; charset=utf-8"
FOREVER: Final = b"public, max-age=31536000, immutable"
PARAMETERS: Final = ("key",)
# What may not stand in a script as JSON writes it.
ESCAPED: Final = {"<": r"\u003c", "\u2028": r"\u2028", "\u2029": r"\u2029"}
CROSS_ORIGIN: Final = (b"cross-origin-resource-policy", b"cross-origin")
TYPESCRIPT: Final = b"text/plain; charset=utf-8"
TOLD_PARAMETER: Final[dict[str, Any]] = {
    "name": "tag", "in": "query", "schema": {"type": "string"}, "allowEmptyValue": True,
    "description": "What `/resonate.js` has before its library, in the place of the payload.",
}  # fmt: skip
FOR_A_WHILE: Final = b"public, max-age=300"
FOR_ONE: Final = CACHE_CONTROL.replace(b"public", b"private")
MOST_COUNTRIES: Final = 50  # of which scripts are kept


class FeaturesOrTold:
    """`GET /api/features/{key}`: GrowthBook's payload, and with `?tag` what the tag's script has before the library."""

    def __init__(self, script: "TagScript", features: Features) -> None:
        self._script, self._features = script, features

    def __call__(self, exchange: Exchange, resources: Resources, body: bytes) -> HttpAnswer:
        if exchange.scope["query_string"] == b"tag":
            return self._script.told(exchange, resources)
        return self._features(exchange, resources, body)


def tag_routes(script: "TagScript") -> dict[str, HotRoute[Resources]]:
    """All of the tag's, by their paths; those of the files as they are built need no key."""
    tag = script.tag
    library, parts, types = (tag.contents[name] for name in (tag.library, tag.parts, TYPES))
    found: dict[str, HotRoute[Resources]] = {
        "resonate.js": HotRoute("/resonate.js", "GET", script, pages="every"),
        tag.library: HotRoute("/resonate-{hash}.js", "GET", BuiltFile(library), pages="every"),
        tag.parts: HotRoute("/resonate-parts-{hash}.js", "GET", BuiltFile(parts), pages="every"),
        TYPES: HotRoute(f"/{TYPES}", "GET", BuiltFile(types, TYPESCRIPT, FOR_A_WHILE), pages="every"),
    }
    return {f"/{name}": route for name, route in found.items()}


class BuiltFile:
    """One file as it was built, kept for ever by whoever has it: another content has another name."""

    def __init__(self, contents: bytes, content_type: bytes = SCRIPT, keep: bytes = FOREVER) -> None:
        self._kept, self._content_type = kept_by_digest(contents), content_type
        self._headers: Headers = [(b"cache-control", keep), CROSS_ORIGIN]

    def __call__(self, exchange: Exchange, resources: Resources, body: bytes) -> HttpAnswer:
        return self._kept.answer(exchange, self._content_type, self._headers)


@dataclass(frozen=True, slots=True)
class Script:
    """The whole script for those who see this, and what it is made of."""

    payload: Payload
    shop: tuple[Any, ...]
    kept: Kept
    told: Kept  # what stands before the library, alone
    by_country: "dict[str, Script]" = field(default_factory=dict[str, "Script"])


class TagScript:
    """`GET /resonate.js?key=`: one script for everybody who asks with a publishable key, made once for what they see.

    Whoever refuses gets the same: what may be drawn, kept and sent is decided in the page, which knows the answer. Only
    where an audience asks it and the service is told does the script name the country that it was asked for from, and
    is for this caller alone.
    """

    HEADERS: Final[Headers] = [(b"cache-control", CACHE_CONTROL), CROSS_ORIGIN]

    def __init__(self, payloads: Payloads) -> None:
        self.tag = BuiltTag.read()
        self._payloads = payloads
        self._made: Script | None = None

    def __call__(self, exchange: Exchange, resources: Resources, body: bytes) -> HttpAnswer:
        admit(exchange, resources.access, PARAMETERS)
        script, headers = self._current(exchange, resources)
        return script.kept.answer(exchange, SCRIPT, headers)

    def told(self, exchange: Exchange, resources: Resources) -> HttpAnswer:
        """What stands before the library, for the one that is kept elsewhere: `GET /api/features/{key}?tag`."""
        invalid = admit_sdk(exchange, resources, FEATURES_PREFIX)
        if invalid is not None:
            return invalid
        script, headers = self._current(exchange, resources)
        return script.told.answer(exchange, headers=headers)

    def _current(self, exchange: Exchange, resources: Resources) -> tuple[Script, Headers]:
        payload, made = self._payloads.current(resources, Consent.PERSONAL, now_seconds()), self._made
        consent = resources.consent
        shop = (resources.recognition.rules, consent.unsaid, consent.opted_out, resources.redirect_hosts)
        if made is None or made.payload is not payload or made.shop != shop:
            made = self._made = Script(payload, shop, *self._make(payload, shop_of(resources)))
        header = resources.settings.country_header if payload.visible.asks_proxy else None
        if header is None:
            return made, self.HEADERS
        private = [(b"cache-control", FOR_ONE), (b"vary", header.encode()), CROSS_ORIGIN]
        return self._to_country(made, exchange, resources), private

    def _to_country(self, made: Script, exchange: Exchange, resources: Resources) -> Script:
        """To who comes from there; the same as to all where that is not known."""
        attributes = of_proxy(resources.country_told(exchange).decode("latin-1"))
        if not attributes:
            return made
        country = made.payload.visible.secured.told("country", attributes["country"])
        if country not in made.by_country:
            while len(made.by_country) >= MOST_COUNTRIES:
                del made.by_country[next(iter(made.by_country))]
            kept = self._make(made.payload, shop_of(resources), {"country": country})
            made.by_country[country] = Script(made.payload, made.shop, *kept)
        return made.by_country[country]

    def _make(
        self, payload: Payload, shop: Mapping[str, Any], attributes: Mapping[str, Any] | None = None
    ) -> tuple[Kept, Kept]:
        """The whole script, and what stands before the library in it."""
        visible = payload.visible
        controls = {key: visible.compiled[key].definition.control.key for key in msgspec.json.decode(payload.features)}
        told = {
            "features": msgspec.Raw(payload.features),
            "controls": {key: control for key, control in controls.items() if control != "control"},
            "shop": shop,
            **({"agents": AGENT_FAMILIES} if visible.asks_agent else {}),
            **({"attributes": attributes} if attributes else {}),
        }
        written = msgspec.json.encode(told).decode()
        for character, escape in ESCAPED.items():
            written = written.replace(character, escape)
        body = b"window.__resonate=%b;\n%b" % (written.encode(), self.tag.following(payload.features))
        return kept_by_digest(body), kept_by_digest(written.encode())


def kept_by_digest(body: bytes) -> Kept:
    """A body whose version is its digest."""
    return Kept(body, b'"%b"' % hashlib.sha256(body).hexdigest()[:32].encode())


def shop_of(resources: Resources) -> dict[str, Any]:
    """What pages are told of their shop: the cookie of the visitor's id, and the consent of who says nothing."""
    rules, consent = resources.recognition.rules, resources.consent
    return {
        "cookie": rules.name,
        "days": rules.days,
        "domain": rules.domain,
        "http_only": rules.http_only,
        "consent": consent.unsaid.word,
        "gpc": consent.opted_out.word,
        "hosts": resources.redirect_hosts,
    }


def tag_paths(failures: Mapping[str, Any]) -> dict[str, Any]:
    """The same routes as the OpenAPI has them; `failures` are the answers to a key that is not let in."""
    content = {"text/javascript": {"schema": {"type": "string"}}}
    unchanged = {"304": {"description": "The script has not changed."}}
    script = {"200": {"description": "The script.", "content": content}, **unchanged}
    key = {"name": "key", "in": "query", "required": True, "schema": {"type": "string"}, "example": "pk_demo",
           "description": "A publishable key."}  # fmt: skip
    digest = {"name": "hash", "in": "path", "required": True, "schema": {"type": "string"},
              "description": "Of the content: what `resonate tag` prints. No other is there."}  # fmt: skip
    types = {"200": {"description": "The types.", "content": {"text/plain": content["text/javascript"]}}, **unchanged}
    hashed = {"parameters": [digest], "responses": {**script, "404": {"description": "Of another version."}}}

    whole = {"parameters": [key], "responses": {**script, **failures}}
    return {
        "/resonate.js": _got("tag", "The browser tag with what it decides by", whole),
        "/resonate-{hash}.js": _got("tag_library", "The tag alone, for `integrity` and for one's own host", hashed),
        "/resonate-parts-{hash}.js": _got("tag_parts", "What the tag loads where a page uses it", hashed),
        f"/{TYPES}": _got("tag_types", "TypeScript types of `window.resonate`", {"responses": types}),
    }


def _got(name: str, summary: str, said: Mapping[str, Any]) -> dict[str, Any]:
    return {"get": {"tags": ["Tag"], "summary": summary, "operationId": name, "security": [], **said}}
