"""`resonate check` of what variants change on pages: each change by itself, redirects, and what cannot be undone."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, combinations_with_replacement, product
from typing import Final

from experiments.definitions.experiment import ExperimentFile
from experiments.definitions.folder import FolderReading
from experiments.definitions.page_changes import CHANGES, Change, changes_in
from experiments.page.css import finds_whole_page, looks_inside, overlap, property_mistake, selector_mistake
from experiments.page.markup import attribute_mistake, html_mistakes
from experiments.page.redirects import Redirect, address_mistake_of, asks_address, circle_from, never_together
from experiments.targeting.predicates import read_condition
from kit.conditions import Joined, Where
from kit.located import DefinitionError, joined

OVER: Final = ("stopped", "archived")


@dataclass(frozen=True, slots=True, eq=False)
class PlacedChange:
    """A change where it stands. Its selector is sound."""

    file: ExperimentFile
    variant: str
    number: int
    change: Change

    @property
    def path(self) -> str:
        """The path that mistakes of it are told at."""
        return f"variants.{self.variant}.payload.{CHANGES}[{self.number}]"

    def wrong(self, message: str, name: str = "") -> DefinitionError:
        """A mistake of it, or of one of its fields."""
        place = [variant.key for variant in self.file.experiment.variants].index(self.variant)
        inside = name.split(".", 1) if name else []
        line = self.file.line("variants", place, "payload", CHANGES, self.number - 1, *inside)
        return DefinitionError(self.file.file, line, joined(self.path, name), message)


def page_mistakes(reading: FolderReading) -> Iterator[DefinitionError]:
    """Everything that is wrong with the changes of a folder that can be read."""
    if reading.content is None:
        return
    hosts = reading.content.shop.tag.hosts
    segments = {segment.name: segment.where for segment in reading.content.segments}
    written = [each for file in reading.files.values() for each in _written(file)]
    wheres = {file.experiment.key: _audience(file, segments) for file in reading.files.values()}
    sound: list[PlacedChange] = []
    for each in written:
        mistakes = [*_own_mistakes(each, hosts)]
        yield from mistakes
        if not mistakes:
            sound.append(each)
    yield from _redirect_mistakes([each for each in sound if each.change.redirect is not None], wheres)
    yield from _never_undone([each for each in sound if each.change.redirect is None], wheres)


def _written(file: ExperimentFile) -> Iterator[PlacedChange]:
    for place, variant in enumerate(file.experiment.variants):
        payload = file.root.at(("variants", place, "payload"))
        if isinstance(variant.payload, dict) and CHANGES in variant.payload:
            for number, change in enumerate(changes_in(payload), start=1):
                yield PlacedChange(file, variant.key, number, change)


def _audience(file: ExperimentFile, segments: dict[str, dict[str, object]]) -> Where:
    """The condition of an experiment with those of its segments."""
    audience = file.experiment.audience
    parts = [read_condition(where).where for where in (*map(segments.__getitem__, audience.segments), audience.where)]
    return Where((Joined("$and", tuple(parts), ()),))


def _own_mistakes(written: PlacedChange, hosts: Collection[str]) -> Iterator[DefinitionError]:
    """What is wrong with a change whatever stands beside it."""
    change, inserted = written.change, written.change.insert
    told: list[tuple[str, str | None]] = []
    if change.redirect is not None:
        told.append(("redirect", address_mistake_of(change.redirect, [*hosts])))
    if change.selector is not None:
        told.append(("selector", _selector_mistake(change.selector, change)))
    told += [(f"attribute.{name}", attribute_mistake(name, value)) for name, value in change.attribute.items()]
    told += [(f"style.{name}", property_mistake(name, value)) for name, value in change.style.items()]
    told += [("html", mistake) for mistake in html_mistakes(change.html or "")]
    for name, mistake in told:
        if mistake is not None:
            yield written.wrong(mistake, name)
    for mistake in html_mistakes(inserted.html if inserted else ""):
        yield written.wrong(mistake, "insert.html")


def _selector_mistake(selector: str, change: Change) -> str | None:
    mistake = selector_mistake(selector)
    if mistake is None and (change.hide or "content" in change.aspects) and finds_whole_page(selector):
        return f'"{selector}" finds the whole page; name the part of it that changes'
    return mistake


def _redirect_mistakes(found: Sequence[PlacedChange], wheres: dict[str, Where]) -> Iterator[DefinitionError]:
    """Redirects from every page, and those that lead back to one another."""
    redirects = {
        each.path + each.file.file: Redirect(
            each.file.experiment.key, each.variant, wheres[each.file.experiment.key], each.change.redirect or ""
        )
        for each in found
        if each.file.experiment.status not in OVER
    }
    told: set[frozenset[str]] = set()
    for each in found:
        redirect = redirects.get(each.path + each.file.file)
        if redirect is None:
            continue
        if not asks_address(redirect.where):
            right = "name the page that it leaves: audience: {where: {path: /old}}"
            yield each.wrong(f"leads from every page of the shop to {redirect.address}; {right}", "redirect")
            continue
        way = circle_from(redirect, [other for other in redirects.values() if asks_address(other.where)])
        members = frozenset(passed.experiment + passed.variant for passed in way)
        if way and members not in told:
            told.add(members)
            through = " to ".join(f"{passed.address} ({passed.variant} of {passed.experiment})" for passed in way[1:])
            yield each.wrong(f"loops: {redirect.address} leads on to {through}, and that back here", "redirect")


def _never_undone(found: Sequence[PlacedChange], wheres: dict[str, Where]) -> Iterator[DefinitionError]:
    """Changes of two variants of which one destroys what the other one changes, so that neither can be taken back.

    A page may go from one variant to another without being loaded anew: after log-in, in a preview, when an experiment
    is paused. Of two experiments that run at once, one writes over the other.
    """
    by_file: dict[str, list[PlacedChange]] = {}
    for each in found:
        by_file.setdefault(each.file.file, []).append(each)
    for (_, mine), (_, theirs) in combinations_with_replacement(by_file.items(), 2):
        same = mine is theirs
        if not same and not _at_once(mine[0].file, theirs[0].file, wheres):
            continue
        for one, other in combinations(mine, 2) if same else product(mine, theirs):
            if not same or one.variant != other.variant:
                yield from _clashes(one, other, same)


def _clashes(one: PlacedChange, other: PlacedChange, same: bool) -> Iterator[DefinitionError]:
    """What two changes of different variants spoil of each other; `same` says that those are of one experiment."""
    places = {each: each.change.selector or "" for each in (one, other)}
    for inner, outer in ((one, other), (other, one)):
        within = looks_inside(places[inner], places[outer])
        if within and "content" in outer.change.aspects:
            told = (
                f'"{places[inner]}" lies inside "{places[outer]}", whose content is replaced by {_named(outer, same)}'
            )
            right = "change the same element in both" if same else "put both experiments in one layer"
            yield inner.wrong(f"{told}: what was there cannot be brought back; {right}")
    shared = sorted(one.change.aspects & other.change.aspects)
    if not same and shared and overlap(places[one], places[other]):
        told = f'{shared[0]} of "{places[other]}" is written by {_named(one, same)} too'
        yield other.wrong(f"{told}: one writes over the other, and neither can take it back; put both in one layer")


def _named(written: PlacedChange, same: bool) -> str:
    return written.variant if same else f"{written.variant} of {written.file.experiment.key}"


def _at_once(one: ExperimentFile, other: ExperimentFile, wheres: dict[str, Where]) -> bool:
    """Whether two experiments run, and a visitor may be in both on one page."""
    first, second = one.experiment, other.experiment
    if (first.status, second.status) != ("running", "running"):
        return False
    if first.layer and second.layer and first.layer.name == second.layer.name:
        return False
    return not never_together(wheres[first.key], wheres[second.key])
