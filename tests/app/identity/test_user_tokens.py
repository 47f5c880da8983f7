"""What a user token proves, what it does not, and why: judged by PyJWT, with keys of both algorithms."""

import base64
import subprocess
import sys
import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.proving import examples
from servers.tokens import TOKEN_KEY, TOKEN_SECRET, user_token

from app.cli.keys import ed25519_public_key
from app.identity import user_tokens
from app.identity.people import DOUBTS
from app.identity.user_tokens import UserTokens
from app.runtime.settings import token_key

SEED = bytes(range(32))
PUBLIC = ed25519_public_key(SEED)
EDDSA_KEY = f"ed:EdDSA:{base64.urlsafe_b64encode(PUBLIC).decode()}"
HOUR = 3_600


def now() -> int:
    return int(time.time())


@pytest.fixture
def tokens() -> UserTokens:
    return UserTokens([token_key(TOKEN_KEY), token_key(EDDSA_KEY)])


def eddsa(**header: Any) -> str:
    claims = {"sub": "u-1", "aud": "resonate", "iat": now(), "exp": now() + HOUR}
    return jwt.encode(claims, Ed25519PrivateKey.from_private_bytes(SEED), "EdDSA", headers=header)


def test_a_token_of_either_algorithm_proves_its_user_with_and_without_the_name_of_its_key(tokens: UserTokens) -> None:
    for token in (user_token("u-1"), user_token("u-1", kid=None), eddsa(kid="ed"), eddsa()):
        assert tokens.doubt(token, "v-1", "u-1") is None
        assert tokens.doubt(token, "v-1", "u-1") is None  # remembered


class FromNow(int):
    """Seconds from when the test runs, which may be long after it was collected."""


@pytest.mark.parametrize(
    ("doubt", "claims"),
    [
        ("not_this_user", {"sub": "u-2"}),
        ("not_this_user", {"sub": "U-1"}),
        ("not_this_user", {"sub": "u-1 "}),
        ("not_this_visitor", {"vid": "v-2"}),
        (None, {"vid": "v-1"}),
        ("malformed", {"vid": 1}),
        ("malformed", {"sub": 1}),
        ("malformed", {"sub": None}),
        ("malformed", {"aud": None}),
        ("malformed", {"aud": "shop"}),
        ("malformed", {"iat": None}),
        ("malformed", {"exp": None}),
        ("malformed", {"exp": 10**400}),
        ("malformed", {"exp": float("inf")}),
        ("malformed", {"exp": "soon"}),
        ("malformed", {"exp": FromNow(90_000)}),
        (None, {"exp": FromNow(86_390)}),
        ("expired", {"iat": FromNow(-7_200), "exp": FromNow(-61)}),
        (None, {"iat": FromNow(-7_200), "exp": FromNow(-30)}),
        ("malformed", {"iat": FromNow(300)}),
        (None, {"iat": FromNow(30)}),
        ("malformed", {"nbf": FromNow(300)}),
    ],
)
def test_a_claim_decides_by_name(tokens: UserTokens, doubt: str | None, claims: dict[str, Any]) -> None:
    told = {name: now() + value if isinstance(value, FromNow) else value for name, value in claims.items()}
    assert tokens.doubt(user_token("u-1", **told), "v-1", "u-1") == doubt


def test_the_algorithm_is_that_of_the_key_and_never_that_of_the_token(tokens: UserTokens) -> None:
    public_as_secret = user_token("u-1", secret=PUBLIC, kid="ed")  # the public key is no secret
    claims = jwt.decode(user_token("u-1"), options={"verify_signature": False})
    unsigned = jwt.encode(claims, None, "none")
    stronger = jwt.encode(claims, TOKEN_SECRET * 2, "HS512", headers={"kid": "shop"})
    assert tokens.doubt(public_as_secret, "v-1", "u-1") == "bad_signature"
    assert tokens.doubt(unsigned, "v-1", "u-1") == "unknown_key"
    assert tokens.doubt(jwt.encode(claims, None, "none", headers={"kid": "shop"}), "v-1", "u-1") == "bad_signature"
    assert tokens.doubt(stronger, "v-1", "u-1") == "bad_signature"


def test_a_signature_of_another_key_is_bad_and_a_key_that_nobody_configured_is_unknown(tokens: UserTokens) -> None:
    other = bytes(32)
    assert tokens.doubt(user_token("u-1", secret=other), "v-1", "u-1") == "bad_signature"
    assert tokens.doubt(user_token("u-1", secret=other, kid=None), "v-1", "u-1") == "bad_signature"
    assert tokens.doubt(user_token("u-1", kid="former"), "v-1", "u-1") == "unknown_key"


def test_without_the_name_of_its_key_four_are_tried() -> None:
    secrets = [bytes([number]) * 32 for number in range(5)]
    keys = [token_key(f"k{n}:HS256:{base64.urlsafe_b64encode(each).decode()}") for n, each in enumerate(secrets)]
    found = [UserTokens(keys).doubt(user_token("u-1", secret=each, kid=None), None, "u-1") for each in secrets]
    assert found == [None, None, None, None, "bad_signature"]


def test_a_remembered_token_ends_with_its_time_and_the_memory_is_bounded(
    tokens: UserTokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = user_token("u-1", exp=now() + 10)
    assert tokens.doubt(token, None, "u-1") is None
    monkeypatch.setattr(user_tokens, "REMEMBERED", 3)
    for number in range(10):
        assert tokens.doubt(user_token(f"u-{number}", n=number), None, f"u-{number}") is None
    assert len(tokens._verified) == 3
    assert tokens.doubt(token, None, "u-1") is None
    later = time.time() + 71
    monkeypatch.setattr(user_tokens, "now_seconds", lambda: later)
    assert tokens.doubt(token, None, "u-1") == "expired"


ODD = [b"[" * 3000, b'{"alg":"HS256","kid":"shop","crit":["x"]}', b'{"alg":["HS256"]}',
       b'{"kid":1,"alg":"HS256"}', b'{"kid":[],"alg":"HS256"}', b"NaN", b"1e999", b"null"]  # fmt: skip
PIECES = st.one_of(st.binary(max_size=80), st.sampled_from(ODD))


@settings(max_examples=examples(300), deadline=None)
@given(
    pieces=st.lists(PIECES, max_size=4),
    plain=st.one_of(st.none(), st.text(max_size=40), st.integers(), st.lists(st.integers()), st.just("." * 5000)),
)
def test_no_text_raises_and_none_that_we_did_not_sign_proves_anything(pieces: list[bytes], plain: Any) -> None:
    tokens = UserTokens([token_key(TOKEN_KEY), token_key(EDDSA_KEY)])
    joined = ".".join(base64.urlsafe_b64encode(piece).decode().rstrip("=") for piece in pieces)
    for token in (joined, plain):
        assert tokens.doubt(token, "v-1", "u-1") in DOUBTS


@settings(max_examples=examples(200), deadline=None)
@given(place=st.integers(0, 10_000), letter=st.sampled_from("ABCxyz019-_."))
def test_a_token_with_one_letter_changed_proves_nothing(place: int, letter: str) -> None:
    tokens, token = UserTokens([token_key(TOKEN_KEY)]), user_token("u-1")
    changed = token[: place % len(token)] + letter + token[place % len(token) + 1 :]
    assert (tokens.doubt(changed, None, "u-1") is None) == (changed == token)


def test_without_a_key_a_worker_loads_no_cryptography() -> None:
    code = (
        "import sys, app.main; from app.runtime.settings import Settings; from app.worker.resources import user_tokens;"
        "print(user_tokens(Settings(user_token_keys=()).token_keys), *sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    nothing, *loaded = done.stdout.split()
    assert nothing == "None"
    assert {"jwt", "cryptography.hazmat"}.isdisjoint(loaded)
