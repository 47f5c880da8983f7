"""Links of previews: what was made here shows what it names until it is over, and nothing else shows anything."""

import base64
import json
from pathlib import Path
from typing import Any

import jwt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.proving import examples

from app.identity.preview_links import AUDIENCE, MOST_CHARACTERS, PreviewLink, PreviewLinks

NOW = 1_796_000_000
SHOWN = PreviewLink("banner", 2, "b", NOW + 7 * 86_400)
CLAIMS: dict[str, Any] = {
    "aud": AUDIENCE, "iat": NOW, "exp": SHOWN.ends, "experiment": "banner", "phase": 2, "variant": "b",
}  # fmt: skip


@pytest.fixture(scope="module")
def key_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("previews") / "secrets" / "previews.key"


@pytest.fixture(scope="module")
def links(key_file: Path) -> PreviewLinks:
    return PreviewLinks(key_file)


def test_a_link_shows_what_it_names_until_it_is_over(links: PreviewLinks, key_file: Path) -> None:
    token = links.token(SHOWN, NOW)
    other = PreviewLinks(key_file)  # of another process
    for each in (links, other, other):  # read, and remembered
        assert each.read(token, NOW) == SHOWN
        assert each.read(token, SHOWN.ends - 1) == SHOWN
        assert each.read(token, SHOWN.ends) is None


def test_the_key_is_its_owners_alone(links: PreviewLinks, key_file: Path) -> None:
    assert links.token(SHOWN, NOW)
    assert [path.stat().st_mode & 0o777 for path in (key_file, key_file.parent)] == [0o600, 0o700]


def unsigned(claims: dict[str, Any]) -> str:
    parts = ({"alg": "none", "typ": "JWT"}, claims)
    return ".".join([base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]) + "."


def test_what_was_not_made_here_shows_nothing(links: PreviewLinks, key_file: Path, tmp_path: Path) -> None:
    own = key_file.read_bytes()
    foreign = {
        "of another service": PreviewLinks(tmp_path / "secrets" / "other.key").token(SHOWN, NOW),
        "for something else": jwt.encode({**CLAIMS, "aud": "resonate"}, own, "HS256"),
        "without an end": jwt.encode({name: CLAIMS[name] for name in CLAIMS if name != "exp"}, own, "HS256"),
        "signed otherwise": jwt.encode(CLAIMS, own * 2, "HS512"),
        "not signed": unsigned(CLAIMS),
        "too long": links.token(SHOWN, NOW) + "=" * MOST_CHARACTERS,
        "no text": 7,
        "nothing": "",
        "deep": base64.urlsafe_b64encode(b"[" * 2_000).decode() + ".e30.",
    }
    assert {name: links.read(token, NOW) for name, token in foreign.items()} == dict.fromkeys(foreign)
    assert links.read(jwt.encode(CLAIMS, own, "HS256"), NOW) == SHOWN  # so that each differs in what it says alone


@settings(max_examples=examples(200))
@given(place=st.integers(0, 300), letter=st.characters(max_codepoint=300), text=st.text(max_size=40))
def test_a_changed_letter_or_any_text_shows_nothing(links: PreviewLinks, place: int, letter: str, text: str) -> None:
    token = links.token(SHOWN, NOW)
    place %= len(token) - 1  # of the last letter four bits mean nothing
    changed = token[:place] + letter + token[place + 1 :]
    assert links.read(changed, NOW) == (SHOWN if changed == token else None)
    assert links.read(text, NOW) is None
