"""The settings: read from the environment, refused in words, and documented."""

import re
from pathlib import Path

import pytest

from app.runtime.settings import Settings, SettingsError, load_settings, unknown_variables
from app.runtime.sources import variable

REPOSITORY = Path(__file__).parents[3]
DOCUMENT = REPOSITORY / "docs" / "settings.md"


def problems(**environment: str) -> list[str]:
    with pytest.raises(SettingsError) as refused:
        load_settings({f"RESONATE_{name}": value for name, value in environment.items()})
    return refused.value.problems


def test_an_empty_environment_gives_a_service_on_this_machine_alone() -> None:
    settings = load_settings({})
    assert (settings.host, settings.port, settings.redis_url) == ("127.0.0.1", 8000, None)


def test_keys_are_separated_by_commas_and_blanks_around_them_do_not_count() -> None:
    settings = load_settings({"RESONATE_SECRET_KEYS": " sk_12345678 , sk_abcdefgh,"})
    assert settings.secret_keys == ("sk_12345678", "sk_abcdefgh")


def test_an_empty_variable_is_an_absent_one() -> None:
    assert load_settings({"RESONATE_REDIS_URL": "", "RESONATE_PORT": ""}) == load_settings({})


def test_the_options_of_a_command_go_before_the_environment() -> None:
    assert load_settings({"RESONATE_PORT": "1234"}, port=4321).port == 4321


def test_a_bad_value_names_its_variable_and_what_would_be_right() -> None:
    [problem] = problems(PORT="eighty")
    assert problem.startswith("RESONATE_PORT: it should be a valid integer")
    assert "'eighty'" in problem
    assert "Port to listen on" in problem


def test_every_bad_value_is_told_at_once() -> None:
    told = problems(PORT="99999", WORKERS="0", LOG_LEVEL="loud", TRUSTED_PROXIES="somewhere", ORIGINS="shop.example/a")
    assert {line.partition(":")[0] for line in told} == {
        "RESONATE_PORT",
        "RESONATE_WORKERS",
        "RESONATE_LOG_LEVEL",
        "RESONATE_TRUSTED_PROXIES",
        "RESONATE_ORIGINS",
    }


@pytest.mark.parametrize("key", ["short", "with blank inside", "sha256:abc", "ключключключ"])
def test_a_key_that_cannot_be_one_is_refused_without_being_shown(key: str) -> None:
    [problem] = problems(SECRET_KEYS=f"sk_12345678,{key}")
    assert "2" in problem
    assert key not in problem


def test_the_password_of_a_store_is_not_shown() -> None:
    [problem] = problems(REDIS_URL="http://user:hunter22@store")
    assert "hunter22" not in problem
    assert "redis://" in problem


@pytest.mark.parametrize(
    "address",
    [
        "https://shop.example",
        "http://127.0.0.1:8000",
        "https://[::1]:8443",
        "https://shop.example/r/x7",
        "https://a-b.shop.example:443/r",
    ],
)
def test_a_public_address_is_a_scheme_a_host_and_perhaps_a_path(address: str) -> None:
    assert load_settings({"RESONATE_PUBLIC_URL": address}).public_url == address


@pytest.mark.parametrize(
    "address",
    [
        "shop.example",
        "//shop.example",
        "ftp://shop.example",
        "https://",
        "https:///r",
        "https://shop.example/",
        "https://shop.example/r/",
        "https://shop.example//r",
        "https://user:word@shop.example",
        "https://shop.example?a=1",
        "https://shop.example/r#a",
        "https://shop.example:0",
        "https://shop.example:99999",
        "https://shop example",
        "https://[::1",
        "https://shop.example\\r",
        "https://shop.example/\n",
    ],
)
def test_any_other_public_address_is_refused_at_the_start(address: str) -> None:
    [problem] = problems(PUBLIC_URL=address)
    assert problem.startswith("RESONATE_PUBLIC_URL: ")
    assert "such as `https://shop.example/r/x7`" in problem


def test_an_unknown_variable_is_told_with_the_one_that_was_meant() -> None:
    assert unknown_variables({"RESONATE_WORKER": "2"}) == [
        "RESONATE_WORKER is not a setting, did you mean RESONATE_WORKERS?"
    ]


def test_known_variables_and_those_of_others_raise_no_warning() -> None:
    assert unknown_variables({"RESONATE_PORT": "1", "PATH": "/bin"}) == []


def test_settings_survive_the_way_to_a_child_process() -> None:
    settings = load_settings({"RESONATE_TRUSTED_PROXIES": "10.0.0.0/8,::1", "RESONATE_SECRET_KEYS": "sk_12345678"})
    assert Settings.model_validate_json(settings.model_dump_json()) == settings


def test_secrets_are_the_values_of_keys_without_origins_and_digests() -> None:
    settings = load_settings(
        {"RESONATE_PUBLISHABLE_KEYS": "pk_12345678@https://a.example", "RESONATE_SECRET_KEYS": "sha256:" + "0" * 64}
    )
    assert settings.secrets == ("pk_12345678",)


def test_every_setting_is_documented_with_its_meaning_and_nothing_else_is() -> None:
    rows = dict(re.findall(r"^\| `(RESONATE_\w+)` \| [^|]* \| (.*?) \|$", DOCUMENT.read_text(), re.MULTILINE))
    assert rows == {variable(name): field.description for name, field in Settings.model_fields.items()}


def test_every_documented_default_is_the_one_in_the_code() -> None:
    rows = dict(re.findall(r"^\| `(RESONATE_\w+)` \| ([^|]*) \|", DOCUMENT.read_text(), re.MULTILINE))
    for name, field in Settings.model_fields.items():
        if field.default_factory is None:
            assert rows[variable(name)] == shown(field.default), name


def shown(default: object) -> str:
    if default in (None, ()):
        return "none"
    text = ",".join(map(str, default)) if isinstance(default, tuple) else f"{default}"
    return f"`{text.removesuffix('.0')}`"


READS_ENVIRONMENT = re.compile(r"\b(environ|environb|getenv)\b|[\"']RESONATE_[A-Z_]+[\"']")
HAND_IT_ON = {  # to `load_settings` and `unknown_variables`; the demo starts the service as a person would
    "app/cli/output.py",
    "app/cli/service.py",
    "app/cli/setup.py",  # the key of another service, which the doctor looks at
    "app/demo/run.py",
    "app/demo/start.py",
    "app/setup/site.py",  # writes the file of settings
}


def test_no_variable_is_read_past_the_settings() -> None:
    product = [
        path
        for folder in ("app", "events", "experiments", "kit", "recommender")
        for path in (REPOSITORY / folder).rglob("*.py")
    ]
    readers = {str(path.relative_to(REPOSITORY)) for path in product if READS_ENVIRONMENT.search(path.read_text())}
    assert len(product) > 100
    assert readers == HAND_IT_ON
    assert READS_ENVIRONMENT.search('point = os.environ.get("RESONATE_CRASH_AT")')


SECRET_OF_TOKENS = "c" * 43  # base64url of 32 bytes


@pytest.mark.parametrize(
    ("keys", "wrong"),
    [
        ("shop", "KID:HS256"),
        (f"shop:RS256:{SECRET_OF_TOKENS}", "KID:HS256"),
        (f"a b:HS256:{SECRET_OF_TOKENS}", "KID:HS256"),
        ("shop:HS256:c2hvcnQ", "at least 32"),
        (f"shop:EdDSA:{SECRET_OF_TOKENS}cccc", "has 32"),
        ("shop:HS256:" + "ключ" * 20, "base64url"),
        (f"shop:HS256:{SECRET_OF_TOKENS},shop:HS256:{SECRET_OF_TOKENS}", "of an earlier one"),
    ],
)
def test_a_key_of_user_tokens_that_cannot_be_one_is_refused_without_being_shown(keys: str, wrong: str) -> None:
    [problem] = problems(USER_TOKEN_KEYS=keys)
    assert wrong in problem
    assert keys.rpartition(":")[2] not in problem


def test_the_secret_of_user_tokens_is_taken_out_of_log_lines_and_a_public_key_is_not() -> None:
    settings = load_settings({"RESONATE_USER_TOKEN_KEYS": f"a:HS256:{SECRET_OF_TOKENS},b:EdDSA:{'d' * 43}"})
    assert settings.secrets == (SECRET_OF_TOKENS,)
    assert [key.id for key in settings.token_keys] == ["a", "b"]
    assert Settings.model_validate_json(settings.model_dump_json()).token_keys == settings.token_keys
