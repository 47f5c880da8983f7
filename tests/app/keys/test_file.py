"""A file of keys: what it says, and what is said of each mistake; a key that somebody wrote into it is never shown."""

import contextlib
import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.proving import examples

from app.keys.file import MOST_BYTES, MOST_KEYS, KeysInvalid, read_keys
from app.keys.named import digest_of
from kit.time import parsed

A, B = (f"sha256:{hashlib.sha256(each).hexdigest()}" for each in (b"a", b"b"))
VALUE = "sk_live_0123456789abcdef"


def problems(text: str) -> str:
    with pytest.raises(KeysInvalid) as found:
        read_keys(text.encode())
    return str(found.value)


def test_a_file_says_who_may_call_what_for_and_for_how_long() -> None:
    found = read_keys(
        f"""
keys:
  - {{name: shop-web, class: publishable, digest: "{A}", origins: ["https://shop.example/"], site: sk}}
  - name: analyst
    class: secret
    digest: "{B}"
    scopes: [export, read_results]
    expires: 2027-06-01
user_tokens: [{{kid: k1, alg: EdDSA, public_key: "{"A" * 43}"}}]
""".encode()
    )
    web, analyst = found.keys
    assert (web.name, web.kind, web.origins, web.site) == ("shop-web", "publishable", ("https://shop.example",), "sk")
    assert web.scopes == ("evaluate", "track", "recommend", "payload")
    assert analyst.scopes == ("read_results", "export")
    assert analyst.expires == parsed("2027-06-01").timestamp()
    assert (web.expires, analyst.site, analyst.origins) == (None, None, None)
    assert found.user_tokens == (f"k1:EdDSA:{'A' * 43}",)


@pytest.mark.parametrize("empty", ["", "# none yet\n", "keys:\n", "keys: []\nuser_tokens: []\n"])
def test_a_file_may_list_nothing(empty: str) -> None:
    assert read_keys(empty.encode()).keys == ()


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (f'{{name: a, class: secret, digest: "{A}", scops: [track]}}', 'unknown member "scops", did you mean scopes?'),
        (f'{{name: a, class: publishable, digest: "{A}", scopes: [steer]}}', "steer is of secret keys"),
        (f'{{name: a, class: secret, digest: "{A}", scopes: [red_results]}}', "did you mean read_results?"),
        (f'{{name: a, class: secret, digest: "{A}", scopes: []}}', "it must be a list of words, or be left out"),
        (f'{{name: a, class: secret, digest: "{A}", origins: ["https://x.example"]}}', "a secret key is of no page"),
        (f'{{name: a, class: publishable, digest: "{A}", origins: [shop]}}', "is not an origin"),
        (f'{{name: a, class: backend, digest: "{A}"}}', "class: it must be publishable or secret"),
        (f'{{name: "a b", class: secret, digest: "{A}"}}', "a name has 1 to 64 letters"),
        (f'{{class: secret, digest: "{A}"}}', "name: it is missing"),
        (f'{{name: a, digest: "{A}"}}', "class: it is missing"),
        ("{name: a, class: secret}", "digest: it is missing"),
        ('{name: a, class: secret, digest: "sha256:abc"}', "it is not sha256: and 64 hexadecimal digits"),
        (f'{{name: a, class: secret, digest: "{A}", expires: soon}}', "it must be a day such as 2027-06-01"),
        (f'{{name: a, class: secret, digest: "{A}", site: "a b"}}', "site: a name has"),
        ("just-text", "it must be a mapping of name, class"),
    ],
)
def test_each_mistake_is_said_with_its_line_and_what_would_be_right(entry: str, said: str) -> None:
    text = problems(f"keys:\n  - {entry}\n")
    assert said in text
    assert text.startswith("keys.yaml:2: keys[0]")


@pytest.mark.parametrize("member", ["digest", "key", "value", "secret", "token"])
def test_a_key_in_place_of_its_digest_is_refused_with_the_digest_to_write(member: str) -> None:
    text = problems(f"keys:\n  - {{name: a, class: secret, {member}: {VALUE}}}\n")
    assert f'write digest: "{digest_of(VALUE)}"' in text
    assert VALUE not in text
    assert read_keys(f'keys: [{{name: a, class: secret, digest: "{digest_of(VALUE)}"}}]'.encode()).keys


def test_one_name_and_one_key_stand_once() -> None:
    twice = f'keys:\n  - {{name: a, class: secret, digest: "{A}"}}\n  - {{name: a, class: secret, digest: "{A}"}}\n'
    assert "name: a stands twice (first in line 2)" in problems(twice)
    assert "it is that of a, a key has one name" in problems(twice)
    token = f'{{kid: k, alg: HS256, secret: "{"A" * 43}"}}'
    assert "the kid k stands twice" in problems(f"user_tokens: [{token}, {token}]")


@pytest.mark.parametrize(
    ("token", "said"),
    [
        ("{kid: k, alg: none, secret: x}", "alg: it must be EdDSA or HS256"),
        ("{kid: k, alg: HS256, secret: c2hvcnQ}", "its secret has 5 bytes"),
        (f"{{kid: k, alg: HS256, public_key: {'A' * 43}}}", "secret: it is missing"),
        (f"{{kid: k, alg: EdDSA, pubic_key: {'A' * 43}}}", "did you mean public_key?"),
    ],
)
def test_a_key_of_user_tokens_is_read_as_strictly(token: str, said: str) -> None:
    text = problems(f"user_tokens: [{token}]")
    assert said in text
    assert "c2hvcnQ" not in text


def test_sizes_are_bounded() -> None:
    assert "a file of keys may have 256" in problems("#" * (MOST_BYTES + 1))
    many = "".join(f"- {{name: k{number}}}\n" for number in range(MOST_KEYS + 1))
    assert "1001 keys, a file may have 1,000" in problems(f"keys:\n{many}")


@given(st.text(max_size=300) | st.lists(st.sampled_from(["keys:", "- ", "name", ": ", "{", "}", "\n", "[", A, "a"])))
@settings(max_examples=examples(60))
def test_any_text_is_a_list_of_keys_or_says_what_is_wrong(text: str | list[str]) -> None:
    content = (text if isinstance(text, str) else "".join(text)).encode("utf-8", "surrogatepass")
    found: list[str] = []
    with contextlib.suppress(KeysInvalid):
        found = [key.name for key in read_keys(content).keys]
    assert found == []  # no such text has all that a key needs
