"""How far a readout is believed: who told of its conversions, whose orders nobody knows, which refunds had no power;
of whom it is: by consent; and whether those are all who were led to another page.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from events.authority import WORDS, Authority
from events.engines.sql import Expression
from events.records import REFUSED
from events.views.identifiers import is_guessable
from events.views.orders import HAS_POWER
from experiments.cube.cube import Cube
from experiments.cube.forgery import SOON_SECONDS, ToldByPages
from experiments.cube.measures import MetricRule
from experiments.cube.scope import enrolled
from experiments.cube.statements import statement
from kit.time import SECOND_US


@dataclass(frozen=True, slots=True)
class OrderTrust:
    """Orders of a study that backends told: `known` to be a unit's by more than a page, or `joined_by_page`; those that
    are `contested` by several pages and count for nobody; refunds that were `powerless`."""

    known: int = 0
    joined_by_page: int = 0
    contested: int = 0
    powerless: int = 0


@dataclass(frozen=True, slots=True)
class Believed:
    """By arm of the study (its number there): `conversions` by the word of the authority, and the units of whose pages
    told."""

    conversions: tuple[Mapping[str, int], ...]
    by_pages: tuple[ToldByPages, ...] = ()
    orders: OrderTrust = field(default_factory=OrderTrust)
    second_users: int = 0


@dataclass(frozen=True, slots=True)
class Consenting:
    """Units by arm of the study (its number there) and mode of consent; `refused`: answers to nobody who is a unit."""

    refused: int
    units: tuple[Mapping[str, int], ...]


def consenting(cube: Cube, study: int) -> Consenting | None:
    """Of a study whose cube is built; None of a site's, whose units were exposed to nothing."""
    scope = cube.scope
    if scope.site is not None:
        return None
    rows, arms, own = cube.once(statement("consents")), scope.arms_of(study), scope.enrolments[study]
    units: list[dict[str, int]] = [{"measure": 0, "personal": 0} for _ in arms]
    for arm, word, n in zip(*(rows[name].tolist() for name in ("arm", "consent", "n")), strict=True):
        if arm in arms:
            units[arm - arms.start][word] += int(n)
    told = statement("refused_answers").bind(refused=REFUSED, enrolled=enrolled(scope.enrolments), stop=scope.stop_us)
    counts = cube.once(told)
    here = (counts["experiment"] == own.experiment) & (counts["phase"] == own.phase)
    return Consenting(int(counts["n"][here].sum()), tuple(units))


@dataclass(frozen=True, slots=True)
class UnitIds:
    """Visitors of one arm: how many there are, whose ids were `issued` here; how many `pages` enrolled, and of these
    whose ids anybody guesses."""

    units: int = 0
    issued: int = 0
    pages: int = 0
    guessable: int = 0


def unit_ids(cube: Cube, study: int) -> tuple[UnitIds, ...] | None:
    """By arm of a study whose cube is built; None where units are no visitors, or were exposed to nothing."""
    scope = cube.scope
    if scope.site is not None or scope.unit != "visitor":
        return None
    told = statement("page_ids").bind(backend=int(Authority.BACKEND), guessable=is_guessable("u.unit_name"))
    rows = cube.once(told)
    columns = (rows[name].tolist() for name in ("arm", "n", "issued", "pages", "guessable"))
    found = {int(arm): UnitIds(*map(int, counts)) for arm, *counts in zip(*columns, strict=True)}
    return tuple(found.get(arm, UnitIds()) for arm in scope.arms_of(study))


ARRIVES_SECONDS: Final = 30.0  # a redirect that leads nowhere within it is lost


def followed_by_page(cube: Cube, study: int) -> tuple[tuple[int, int], ...]:
    """By arm of a study whose cube is built, the units that a page event follows soon after their exposure, and those
    that none does.
    """
    scope = cube.scope
    named = Expression.of("e.visitor_id" if scope.unit == "visitor" else "e.user_id")
    rows = cube.once(statement("followed_by_page").bind(soon=round(ARRIVES_SECONDS * SECOND_US), named=named))
    columns = (rows[name].tolist() for name in ("arm", "n", "followed"))
    found = {int(arm): (int(followed), int(n) - int(followed)) for arm, n, followed in zip(*columns, strict=True)}
    return tuple(found.get(arm, (0, 0)) for arm in scope.arms_of(study))


def believed(cube: Cube, study: int, rule: MetricRule) -> Believed:
    """Of a study whose cube is built; the conversions are the events that `rule` counts in its window.

    A conversion is believed as far as the least of what it rests on: who told of it, and who said whose it is.
    """
    counts = _conversions(cube, study, rule)
    told = any(arm[Authority.PAGE.word] or arm[Authority.PROVEN.word] for arm in counts)
    by_pages = _told_by_pages(cube, study, rule) if told else tuple(ToldByPages() for _ in counts)
    return Believed(counts, by_pages, _order_trust(cube, study), _second_users(cube, study))


def _conversions(cube: Cube, study: int, rule: MetricRule) -> tuple[Mapping[str, int], ...]:
    rows, arms = cube.once(statement("conversions")), cube.scope.arms_of(study)
    first, last = cube.plan.segment(rule.window.start_us), cube.plan.segment(rule.window.end_us)
    found = [dict.fromkeys(reversed(WORDS), 0) for _ in arms]
    columns = (rows[name].tolist() for name in ("arm", "source", "segment", "authority", "n"))
    for arm, source, segment, authority, n in zip(*columns, strict=True):
        if arm in arms and source == rule.source and first <= segment < last:
            found[arm - arms.start][Authority(authority).word] += int(n)
    return tuple(found)


def _told_by_pages(cube: Cube, study: int, rule: MetricRule) -> tuple[ToldByPages, ...]:
    """Of the events themselves, also where orders are counted: a page's copy of what a backend told has a network."""
    source, arms = cube.plan.sources[rule.source], cube.scope.arms_of(study)
    found = [ToldByPages() for _ in arms]
    if source.kind not in ("events", "orders"):
        return tuple(found)
    rows = cube.once(
        cube.attributed(
            "told_by_pages",
            named=cube.events_of(source),
            first=rule.window.start_us,
            until=rule.window.end_us,
            soon=round(SOON_SECONDS * SECOND_US),
            backend=int(Authority.BACKEND),
        )
    )
    columns = (rows[name].tolist() for name in ("arm", "network", "units", "unbacked", "soon"))
    for arm, network, units, unbacked, soon in zip(*columns, strict=True):
        if arm in arms:
            so_far = found[arm - arms.start]
            known = {} if network is None or network != network else {int(network): int(units)}
            found[arm - arms.start] = ToldByPages(
                so_far.units + int(units), so_far.unbacked + int(unbacked), so_far.soon + int(soon),
                {**so_far.networks, **known},
            )  # fmt: skip
    return tuple(found)


def _order_trust(cube: Cube, study: int) -> OrderTrust:
    if "order_owners" not in cube.tables:
        return OrderTrust()
    ranks = {"page": int(Authority.PAGE), "backend": int(Authority.BACKEND)}
    rows = cube.once(cube.attributed("order_trust", has_power=HAS_POWER, **ranks))
    found = zip(rows["study"].tolist(), rows["name"].tolist(), rows["n"].tolist(), strict=True)
    return OrderTrust(**{str(name): int(n) for own, name, n in found if own == study})


def _second_users(cube: Cube, study: int) -> int:
    if "edges" not in cube.tables:
        return 0
    named = Expression.of("e.visitor_id" if cube.scope.unit == "visitor" else "e.user_id")
    rows = cube.once(statement("second_users").bind(named=named))
    return int(rows["n"][rows["study"] == study].sum())
