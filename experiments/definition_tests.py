"""Reads the tests a marketer writes into an experiment file."""

from __future__ import annotations

from experiments.definition import Expectation, GivenVisitor, NotInReason, SplitTest, VisitorTest
from experiments.definition_located import Located, Section
from experiments.definition_words import as_line, as_mapping, as_name, as_share, as_truth, listed, one_of, whole


def tests_of(section: Section) -> tuple[VisitorTest | SplitTest, ...]:
    """The field `tests`."""
    node = section.take("tests")
    if node is None:
        return ()
    if not isinstance(node.value, tuple):
        section.fail("is no list, begin each test with a dash: - {split: 10000, tolerance: 1%}", name="tests")
        return ()
    read = [_test(item, f"tests[{place + 1}]", section) for place, item in enumerate(node.value)]
    return tuple(test for test in read if test)


def _test(node: Located, path: str, experiment: Section) -> VisitorTest | SplitTest | None:
    section = Section(node, path, experiment.problems)
    if section.has("split") or section.has("tolerance"):
        return _split(section)
    if section.clean and not section.has("given") and not section.has("expect"):
        section.fail("a test has given and expect, or split: {given: {visitor: v-1}, expect: {in: true}}")
        return None
    given = section.section("given")
    expect = section.section("expect")
    if section.clean and (given is None or expect is None):
        section.fail("a test has both given and expect: {given: {visitor: v-1}, expect: {in: true}}")
    if given is None or expect is None:
        return None
    visitor, expectation = _given(given), _expectation(expect)
    return VisitorTest(line=node.line, given=visitor, expect=expectation) if section.close() else None


def _split(section: Section) -> SplitTest | None:
    visitors = section.require(
        "split", whole(100, 1_000_000), "say with how many made-up visitors: {split: 10000, tolerance: 1%}"
    )
    tolerance = section.read("tolerance", as_share, 0.01)
    if not section.close() or visitors is None:
        return None
    return SplitTest(line=section.line, visitors=visitors, tolerance=tolerance)


def _given(section: Section) -> GivenVisitor:
    given = GivenVisitor(
        visitor=section.read("visitor", as_line, None),
        user=section.read("user", as_line, None),
        segments=section.read("segments", listed(as_name), ()),
        attributes=section.read("attributes", as_mapping, {}),
    )
    if section.close() and given.visitor is None and given.user is None:
        section.fail("names nobody, write {visitor: v-1}")
    return given


def _expectation(section: Section) -> Expectation:
    expected = Expectation(
        in_experiment=section.read("in", as_truth, None),
        because=section.read("because", one_of(NotInReason), None),
        variant=section.read("variant", as_name, None),
    )
    if not section.close():
        return expected
    if expected == Expectation():
        section.fail("expects nothing, write {in: true}, {in: false, because: audience} or {variant: control}")
    if expected.because and expected.in_experiment:
        section.fail("in: true has no because, leave one of them out")
    return expected
