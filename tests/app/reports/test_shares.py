"""Links to reports: kept as digests, private, found by their token alone, and gone the moment they end."""

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.reports import shares
from app.reports.shares import MOST_DAYS, ShareLink, ShareLinks, TooManyShares, new_share

NOW = datetime(2026, 11, 29, 14, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def made(held: ShareLinks, days: int = 30, key: str = "banner") -> tuple[str, ShareLink]:
    token, share = new_share(key, "key tests", days, None, NOW)
    held.keep(share, NOW)
    return token, share


def test_a_link_opens_from_its_making_to_its_last_second(tmp_path: Path) -> None:
    held = ShareLinks(tmp_path)
    token, share = made(held, days=1)
    end = NOW + timedelta(days=1)
    assert share.expires_at == "2026-11-30T14:00:00Z"
    assert [held.find(token, moment) for moment in (NOW, end - SECOND)] == [share, share]
    assert [held.find(token, moment) for moment in (end, end + SECOND)] == [None, None]
    assert held.listed(end) == []


def test_one_that_was_taken_back_opens_nothing_any_more_and_the_others_do(tmp_path: Path) -> None:
    held, other_process = ShareLinks(tmp_path), ShareLinks(tmp_path)
    (first, share), (second, kept) = made(held), made(held)
    assert other_process.find(first, NOW) == share
    assert held.take_back(share.id, NOW) == share
    assert other_process.find(first, NOW) is None
    assert other_process.find(second, NOW) == kept
    assert held.take_back(share.id, NOW) is None


def test_the_file_is_the_users_alone_and_holds_nothing_that_opens_a_link(tmp_path: Path) -> None:
    held = ShareLinks(tmp_path)
    token, share = made(held)
    assert stat.S_IMODE(held.path.stat().st_mode) == 0o600
    assert token not in held.path.read_text()
    assert share.digest in held.path.read_text()
    assert held.find(share.digest, NOW) is None
    assert held.find(share.id, NOW) is None


@given(st.text(max_size=300) | st.from_regex(r"[A-Za-z0-9_-]{43}", fullmatch=True))
def test_no_other_text_opens_a_link(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    held = ShareLinks(tmp_path_factory.getbasetemp() / "shares")
    if not held.path.exists():
        made(held)
    assert held.find(text, NOW) is None


def test_a_token_has_256_bits_of_its_own_and_one_wrong_letter_opens_nothing(tmp_path: Path) -> None:
    held = ShareLinks(tmp_path)
    tokens = {made(held)[0] for _ in range(20)}
    assert len(tokens) == 20
    assert {len(token) for token in tokens} == {shares.TOKEN_LETTERS}
    for token in tokens:
        assert held.find(token, NOW) is not None
        assert held.find(("B" if token[0] == "A" else "A") + token[1:], NOW) is None


def test_what_is_over_goes_with_the_next_one_and_no_more_are_kept_than_may_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shares, "MOST_SHARES", 2)
    held = ShareLinks(tmp_path)
    made(held, days=1)
    made(held, days=MOST_DAYS)
    with pytest.raises(TooManyShares, match="take some back"):
        made(held)
    _, later = new_share("banner", "key tests", 1, None, NOW + timedelta(days=1))
    held.keep(later, NOW + timedelta(days=1))
    assert len(held.listed(NOW)) == 2
