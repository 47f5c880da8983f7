"""Where redirects lead: out of the shop, from every page, or round in a circle."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from experiments.page.markup import SCHEMES, host_of, is_among, scheme_of
from experiments.targeting.attributes import ATTRIBUTES, of_address
from experiments.targeting.predicates import compiled
from kit.conditions import Field, Joined, Opposite, Where, fields

ADDRESS: Final = frozenset(name for name, each in ATTRIBUTES.items() if each.told_by in ("url", "referrer"))
SOMEWHERE: Final = "https://shop.invalid"  # the host of a relative address, which nobody knows


@dataclass(frozen=True, slots=True)
class Redirect:
    """A variant of an experiment that sends its visitors, who meet a condition, to an address."""

    experiment: str
    variant: str
    where: Where
    address: str


def address_mistake_of(address: str, hosts: Sequence[str]) -> str | None:
    """What is wrong with the address itself."""
    scheme, host = scheme_of(address), host_of(address)
    if scheme and scheme not in SCHEMES[:2]:
        return f'"{address}" leads to no page'
    if host:
        named = f"shop.yaml names {', '.join(hosts)}" if hosts else "shop.yaml names no hosts"
        return None if is_among(host, hosts) else f"{host} is no host of the shop, {named}: tag: {{hosts: [{host}]}}"
    if not address.startswith(("/", "?", "#")):
        return f'"{address}" is read from the page it stands on; begin it with a slash: /{address}'
    return None


def asks_address(where: Where) -> bool:
    """Whether a condition asks anything of the page's address, or of the one before."""
    return any(
        field.name.split(".")[0].split("_")[0] in ADDRESS or field.name == "referrer_host" for field in fields(where)
    )


def circle_from(start: Redirect, others: Sequence[Redirect]) -> tuple[Redirect, ...]:
    """A way of redirects from one back to it, each of another experiment's than the last; empty where there is none."""

    def onward(way: tuple[Redirect, ...]) -> tuple[Redirect, ...]:
        for each in others:
            if each.experiment == way[-1].experiment or may_meet(each.where, known_at(way[-1].address)) is False:
                continue
            if each == start:
                return way
            if each.experiment not in {passed.experiment for passed in way}:
                found = onward((*way, each))
                if found:
                    return found
        return ()

    return onward((start,))


def known_at(address: str) -> Mapping[str, Any]:
    """What a visitor's attributes are for certain once they were sent to an address, by the names of conditions.

    The parameters that they had stay with them, and the host of a relative address is that of the page.
    """
    absolute = bool(host_of(address))
    if not absolute and not address.startswith("/"):
        return {}
    told = dict(of_address(address if absolute else SOMEWHERE + address))
    known = {f"query.{name}": value for name, value in told.pop("query", {}).items()}
    known |= {name: value for name, value in told.items() if name != "host" or absolute}
    return known


def may_meet(where: Where, known: Mapping[str, Any]) -> bool | None:
    """Whether somebody of whom this is known meets a condition; None where that depends on what is not known."""
    return _all([_entry(entry, known) for entry in where.entries])


def _entry(entry: Any, known: Mapping[str, Any]) -> bool | None:
    match entry:
        case Field():
            if entry.name not in known:
                return None
            first, *rest = entry.name.split(".")
            value = known[entry.name]
            for name in reversed(rest):
                value = {name: value}
            return compiled(Where((entry,)))({first: value})
        case Joined("$and"):
            return _all([may_meet(part, known) for part in entry.parts])
        case Joined():
            met = [_opposite(may_meet(part, known)) for part in entry.parts]
            some = _opposite(_all(met)) if met else True
            return _opposite(some) if entry.operator == "$nor" else some
        case Opposite():
            return _opposite(may_meet(entry.part, known))
        case _:
            return False


def _all(met: Sequence[bool | None]) -> bool | None:
    return False if False in met else None if None in met else True


def _opposite(met: bool | None) -> bool | None:
    return None if met is None else not met


def equalities(where: Where) -> Iterator[tuple[str, Any]]:
    """Every value that a field is compared with by equality."""
    for field in fields(where):
        for test in field.tests:
            operator, operand = getattr(test, "operator", ""), getattr(test, "operand", None)
            if operator in ("=", "$eq"):
                yield field.name, operand
            elif operator == "$in" and isinstance(operand, tuple | list):
                yield from ((field.name, each) for each in operand)


def never_together(one: Where, other: Where) -> bool:
    """Whether what both conditions say of one attribute shows that nobody meets both."""
    named = [*equalities(one), *equalities(other)]
    for name in {name for name, _ in equalities(one)} & {field.name for field in fields(other)} | {
        name for name, _ in equalities(other)
    } & {field.name for field in fields(one)}:
        values = [value for asked, value in named if asked == name]
        if all(False in (may_meet(one, {name: v}), may_meet(other, {name: v})) for v in (*values, "\0")):
            return True
    return False
