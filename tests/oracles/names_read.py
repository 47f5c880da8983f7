"""Every name that the service and the tag read of what others send, found in the code itself."""

import ast
import inspect
import re
from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Final

import msgspec
from fastapi.dependencies.utils import get_flat_params
from fastapi.routing import APIRoute

from app.http.parameters import DEBUG, KEYS
from app.identity.consent import PARAMETER as CONSENT
from app.main import ROUTERS
from app.management.openapi import PROMISES, hot_paths
from app.management.openapi_sdks import sdk_paths
from events.dialects import ga4, growthbook, names
from experiments.definitions.folder import builtin_metrics
from experiments.targeting.attributes import ATTRIBUTES
from kit.conditions import OPERATORS

REPOSITORY: Final = Path(__file__).parents[2]
TAG: Final = REPOSITORY / "app/tag/source"
ROOMS: Final = (
    "app/identity",
    "app/intake",
    "app/routes",
    "events/dialects",
    "experiments/targeting",
)  # callers' words
DIALECTS: Final = REPOSITORY / "events/dialects"
MACHINES: Final = "user_agents.py"  # words of browsers and robots, not of callers
OURS: Final = re.compile(r"resonate[._][a-z_]+")
NAME: Final = re.compile(r"\$?[A-Za-z_]\w*")


def trees(folder: str) -> Iterator[tuple[Path, ast.Module]]:
    for file in sorted((REPOSITORY / folder).glob("*.py")):
        yield file, ast.parse(file.read_text(encoding="utf-8"))


def texts(node: ast.AST) -> Iterator[str]:
    """All texts below a node."""
    for each in ast.walk(node):
        if isinstance(each, ast.Constant) and isinstance(each.value, str):
            yield each.value


def query_parameters() -> set[str]:
    """Of every route, hot and cold, and of the addresses of pages with the tag."""
    found = {*KEYS, DEBUG, CONSENT}
    for route in (each for router in ROUTERS for each in router.routes):
        assert isinstance(route, APIRoute)
        in_path = {field.alias for field in route.dependant.path_params}
        found |= {field.alias for field in get_flat_params(route.dependant) if field.alias not in in_path}
    for operations in {**hot_paths(), **sdk_paths()}.values():
        for operation in operations.values():
            found |= {each["name"] for each in operation.get("parameters", ()) if each["in"] == "query"}
    return found | {name for name in re.findall(r"[?&]?(resonate_[a-z]+)\b", tag_source())}


def tag_source() -> str:
    return "\n".join(file.read_text(encoding="utf-8") for file in sorted(TAG.glob("*.js")))


def reserved() -> set[str]:
    """Attributes, cookies and members whose names begin with `resonate`."""
    found: set[str] = set()
    for room in ROOMS:
        for _, tree in trees(room):
            for node in tree.body:
                if isinstance(node, ast.AnnAssign | ast.Assign) and node.value is not None:
                    found |= {text for text in texts(node.value) if OURS.fullmatch(text)}
    return found


def headers() -> set[str]:
    """Headers of our own that are read or sent."""
    source = "\n".join(file.read_text(encoding="utf-8") for file in sorted((REPOSITORY / "app").rglob("*.py")))
    return {name.lower() for name in re.findall(r"\b(x-resonate-[a-z-]+)", source, re.IGNORECASE)}


def events() -> set[str]:
    """Names of events that mean something to the service."""
    read = {event for metric in builtin_metrics() for event in (metric.event, *metric.steps) if event}
    return {
        *names.VOCABULARY,
        *names.OTHER_WORDS,
        *names.FEATURE_EVALUATED,
        *growthbook.VIEWED,
        *ga4.TABLE.events,
        *read,
    }


def members() -> set[str]:
    """What dialects look up in the bodies of events."""
    found: set[str] = set()
    for file, tree in trees("events/dialects"):
        if file.name == MACHINES:
            continue
        groups = set(re.findall(r"\(\?P<(\w+)>", file.read_text(encoding="utf-8")))
        looked_up = {text for node in ast.walk(tree) for text in _looked_up(node)}
        listed = {text for node in tree.body if isinstance(node, ast.AnnAssign) for text in _listed(node.value)}
        found |= {name for name in looked_up | listed if NAME.fullmatch(name)} - groups
    return found


def _looked_up(node: ast.AST) -> Iterable[str]:
    """Texts by which a node looks into something."""
    match node:
        case ast.Call(func=ast.Attribute(attr="get" | "pop"), args=[ast.Constant(value=str(name)), *_]):
            return [name]
        case ast.Subscript(slice=ast.Constant(value=str(name)), ctx=ast.Load()):
            return [name]
        case ast.Compare(left=ast.Constant(value=str(name)), ops=[ast.In() | ast.NotIn()]):
            return [name]
        case _:
            return []


def _listed(value: ast.AST | None) -> Iterable[str]:
    """Texts of a tuple of nothing else: several names of one thing."""
    if isinstance(value, ast.Tuple) and all(isinstance(each, ast.Constant) for each in value.elts):
        return list(texts(value))
    return []


def bodies() -> set[str]:
    """Members of the bodies that calls of our own have."""
    asked = {struct for struct in PROMISES if struct.__name__.endswith(("Body", "Request"))}
    structs = {*asked, *_structs(import_module("events.dialects.segment")), *_structs(ga4)}
    return {field.encode_name for struct in structs for field in msgspec.structs.fields(struct)}


def _structs(module: ModuleType) -> Iterator[type[msgspec.Struct]]:
    for name, kind in inspect.getmembers(module, inspect.isclass):
        if issubclass(kind, msgspec.Struct) and name.endswith("Body") and kind.__module__ == module.__name__:
            yield kind


def conditions() -> set[str]:
    """Attributes that are known, and operators."""
    return {*ATTRIBUTES, *OPERATORS}


def of_the_tag() -> set[str]:
    """Attributes of elements, and what pages may call."""
    source = re.sub(r"setAttribute\([^)]*\)", "", tag_source())  # what it writes itself
    attributes = set(re.findall(r"\bdata-[a-z]+(?:-[a-z]+)*\b", source))
    types = (TAG / "resonate.d.ts").read_text(encoding="utf-8")
    return attributes | set(re.findall(r"^  (?:readonly )?([a-z]\w*)\??[(:<]", types, re.MULTILINE))


READ: Final = {
    "query parameters": query_parameters, "reserved names": reserved, "headers": headers, "events": events,
    "members of events": members, "bodies": bodies, "conditions": conditions, "the tag": of_the_tag,
}  # fmt: skip
