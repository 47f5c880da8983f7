"""One line of a file that people write too is changed, and all else stays as it was."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.proving import examples

from app.setup.files import NotChanged, members, variables, with_member, with_variable

SHOP = """\
# the shop of Jana
currency: CHF  # since 2020

privacy:
  # asked by the banner
  gpc: none
  default_consent: none   # until it is answered
visitors: {days: 30}
"""


def test_a_variable_is_put_where_it_stood_and_else_at_the_end() -> None:
    text = "# how it runs\nexport RESONATE_PORT=80\nRESONATE_ORIGINS='https://a.example'\n"
    changed = with_variable(with_variable(text, "RESONATE_PORT", "8000"), "RESONATE_KEYS", "keys.yaml")
    assert (
        changed
        == "# how it runs\nexport RESONATE_PORT=8000\nRESONATE_ORIGINS='https://a.example'\nRESONATE_KEYS=keys.yaml\n"
    )
    assert variables(changed)["RESONATE_ORIGINS"] == "https://a.example"


def test_a_member_is_put_where_it_stood() -> None:
    changed = with_member(SHOP, "shop.yaml", ("privacy", "default_consent"), "measure")
    assert changed == SHOP.replace("default_consent: none   # until it is answered", "default_consent: measure")


def test_a_new_member_stands_among_its_neighbours() -> None:
    changed = with_member(SHOP, "shop.yaml", ("privacy", "backend_consent"), "personal")
    assert changed.index("backend_consent: personal") < changed.index("visitors:")
    assert members(changed, "shop.yaml")["privacy"]["gpc"] == "none"


def test_what_no_command_can_change_is_said_and_left() -> None:
    with pytest.raises(NotChanged, match="write visitors: cookie: x by hand"):
        with_member(SHOP, "shop.yaml", ("visitors", "cookie"), "x")
    with pytest.raises(NotChanged, match="must be a mapping"):
        with_member("- a\n", "shop.yaml", ("currency",), "EUR")


NAMES = st.sampled_from(["currency", "timezone", "cookie_domain", "rates", "x"])
VALUES = st.one_of(st.text(max_size=12), st.lists(st.text(st.characters(codec="ascii"), max_size=6), max_size=3))


@settings(max_examples=examples(60))
@given(name=NAMES, value=VALUES)
def test_whatever_is_written_is_what_is_read_or_nothing_is_changed(name: str, value: str | list[str]) -> None:
    try:
        changed = with_member(SHOP, "shop.yaml", (name,), value)
    except NotChanged:
        return
    assert members(changed, "shop.yaml") == {**members(SHOP, "shop.yaml"), name: value}
