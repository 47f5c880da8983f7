"""Where settings come from: option, environment, file, default; secrets from their own files; mistakes named."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.proving import examples

from app.runtime.settings import (
    SECRET_FIELDS,
    Settings,
    SettingsError,
    load_settings,
    readable_by_all,
    settings_in_force,
    unknown_variables,
)
from app.runtime.sources import variable

KEY = "sk_1234567890"
OF_EACH = {  # a value of each secret, as an environment has it
    "publishable_keys": "pk_12345678@https://a.example",
    "secret_keys": KEY,
    "redis_url": "redis://user:hunter22@store:6379",
    "user_token_keys": "shop:HS256:" + "c" * 43,
    "webhook_url": "https://chat.example/hook-of-somebody",
    "webhook_secret": "a-secret-of-sixteen",
}


def settings_file(folder: Path, *lines: str) -> dict[str, str]:
    """The environment that names a file of these lines."""
    path = folder / "resonate.toml"
    path.write_text("\n".join(lines), encoding="utf-8")
    return {"RESONATE_SETTINGS": str(path)}


def problems(environment: dict[str, str]) -> list[str]:
    with pytest.raises(SettingsError) as refused:
        load_settings(environment)
    return refused.value.problems


def told(environment: dict[str, str]) -> dict[str, dict]:
    return {row["name"]: row for row in settings_in_force(environment)}


def test_values_of_a_file_are_numbers_texts_lists_and_switches(tmp_path: Path) -> None:
    lines = (
        "workers = 3",
        "drain_seconds = 2.5",
        "data_group = true",
        "dashboard = 'OFF'",
        "data = '/srv/resonate'",
        "origins = ['https://a.example', 'https://b.example']",
        "trusted_proxies = ['10.0.0.1/8', '::1']",
        f"secret_keys = ['{KEY}']",
    )
    loaded = load_settings(settings_file(tmp_path, *lines))
    assert (loaded.workers, loaded.drain_seconds, loaded.data_group) == (3, 2.5, True)
    assert (loaded.dashboard, loaded.data) == ("off", Path("/srv/resonate"))
    assert loaded.origins == ("https://a.example", "https://b.example")
    assert loaded == load_settings({
        "RESONATE_WORKERS": "3", "RESONATE_DRAIN_SECONDS": "2.5", "RESONATE_DATA_GROUP": "1",
        "RESONATE_DASHBOARD": "off", "RESONATE_DATA": "/srv/resonate", "RESONATE_ORIGINS": "https://a.example,https://b.example",
        "RESONATE_TRUSTED_PROXIES": "10.0.0.0/8,::1", "RESONATE_SECRET_KEYS": KEY,
    })  # fmt: skip


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("prot = 1", "prot is not a setting, did you mean port?"),
        ("colour = 1", "colour is not a setting; docs/settings.md lists those that are"),
        ("RESONATE_PORT = 1", "RESONATE_PORT is written port in a file"),
        ("Port = 1", "Port is written port in a file"),
        ("port_file = '/run/port'", "port_file: no file of its own is read for it; write port = …"),
        ("port = 'eighty'", "port: it should be a valid integer, "),
        ("port = true", "port: it cannot be true or false"),
        ("workers = 0", "workers: it should be greater than or equal to 1 (it is '0')"),
        ("host = 5", "host: it should be a valid string"),
        ("[port]\na = 1", "port is a table; settings stand above all tables, as port = …"),
        ("secret_keys_file = 5", "secret_keys_file should be the path of a file"),
    ],
)
def test_a_bad_entry_is_told_with_its_file_its_name_and_what_would_be_right(
    tmp_path: Path, line: str, told: str
) -> None:
    environment = settings_file(tmp_path, line)
    [problem] = problems(environment)
    assert problem.startswith(f"{environment['RESONATE_SETTINGS']}: {told}")


def test_what_is_wrong_in_file_and_environment_is_told_at_once(tmp_path: Path) -> None:
    environment = settings_file(tmp_path, "prot = 1", "workers = 0") | {"RESONATE_PORT": "x"}
    assert len(problems(environment)) == 3


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"port = ", "is no TOML: Invalid value (at end of document); an entry is like port = 8000"),
        (b"port = 1\nport = 2\n", "is no TOML: Cannot overwrite a value (at line 2"),
        (b"host = '\xff'", "is not UTF-8"),
        (b"#" * 2_000_000, "has more than 1,048,576 bytes"),
    ],
)
def test_a_file_that_cannot_be_read_is_told(tmp_path: Path, content: bytes, told: str) -> None:
    path = tmp_path / "resonate.toml"
    path.write_bytes(content)
    [problem] = problems({"RESONATE_SETTINGS": str(path)})
    assert f"{path} {told}" in problem
    [absent] = problems({"RESONATE_SETTINGS": str(tmp_path / "none.toml")})
    assert absent.startswith(f"settings file {tmp_path}/none.toml: No such file or directory; ")


def test_every_secret_has_an_example_here() -> None:
    assert set(OF_EACH) == SECRET_FIELDS


@pytest.mark.parametrize("name", sorted(SECRET_FIELDS))
@pytest.mark.parametrize("by", ["environment", "file"])
def test_a_secret_may_stand_in_a_file_of_its_own(tmp_path: Path, name: str, by: str) -> None:
    secret = tmp_path / "mounted"
    secret.write_text(f"{OF_EACH[name]}\n")
    named = {f"{variable(name)}_FILE": str(secret)}
    environment = named if by == "environment" else settings_file(tmp_path, f"{name}_file = '{secret}'")
    assert load_settings(environment) == load_settings({variable(name): OF_EACH[name]})
    row = told(environment)[name]
    assert (row["value"], row["from"]) == ("…", by)
    assert row["where"].endswith(f", {secret}")


def test_the_mark_that_some_editors_put_before_all_else_is_no_part_of_a_value(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(f"{KEY}\r\n".encode("utf-8-sig"))
    (tmp_path / "resonate.toml").write_bytes(f"port = 8080\nsecret_keys_file = '{tmp_path}/key'".encode("utf-8-sig"))
    found = load_settings({"RESONATE_SETTINGS": str(tmp_path / "resonate.toml")})
    assert (found.port, found.secret_keys) == (8080, (KEY,))


def test_several_keys_of_a_file_stand_on_lines_or_behind_commas(tmp_path: Path) -> None:
    secret = tmp_path / "keys"
    secret.write_text("\n sk_11111111 , sk_22222222\r\nsk_33333333\n\n")
    loaded = load_settings({"RESONATE_SECRET_KEYS_FILE": str(secret)})
    assert loaded.secret_keys == ("sk_11111111", "sk_22222222", "sk_33333333")


def test_the_environment_goes_before_a_secret_that_the_settings_file_names(tmp_path: Path) -> None:
    environment = settings_file(tmp_path, "secret_keys_file = '/nowhere'") | {"RESONATE_SECRET_KEYS": KEY}
    [problem] = problems(environment)  # what cannot be read is told all the same
    assert "/nowhere: No such file" in problem
    environment = settings_file(tmp_path, "secret_keys = ['sk_of_the_file']") | {"RESONATE_SECRET_KEYS": KEY}
    assert load_settings(environment).secret_keys == (KEY,)


def test_a_secret_told_twice_in_one_place_or_with_an_unusable_file_is_refused_without_being_shown(
    tmp_path: Path,
) -> None:
    full, empty, long = (tmp_path / name for name in ("full", "empty", "long"))
    full.write_text("hunter22\nhunter22\n")
    empty.write_text("\n")
    long.write_text("hunter22" * 10_000)
    for environment, wrong in (
        ({"RESONATE_SECRET_KEYS": KEY, "RESONATE_SECRET_KEYS_FILE": str(full)}, "RESONATE_SECRET_KEYS is set too"),
        ({"RESONATE_SECRET_KEYS_FILE": str(empty)}, "is empty; write the value into it, or leave the setting out"),
        ({"RESONATE_SECRET_KEYS_FILE": str(tmp_path)}, "Is a directory"),
        ({"RESONATE_SECRET_KEYS_FILE": str(long)}, "has more than 65,536 bytes"),
        ({"RESONATE_REDIS_URL_FILE": str(full)}, "has 2 lines, it should have one"),
        ({"RESONATE_WEBHOOK_SECRET_FILE": str(full)}, "has 2 lines, it should have one"),
    ):
        [problem] = problems(environment)
        assert problem.startswith(next(name for name in environment if name.endswith("_FILE")))
        assert wrong in problem
        assert "hunter22" not in problem
    full.write_text("hunter2")
    [problem] = problems({"RESONATE_WEBHOOK_SECRET_FILE": str(full)})
    assert problem.startswith(f"RESONATE_WEBHOOK_SECRET_FILE ({full}): ")
    assert "hunter2" not in problem


def test_names_of_files_are_no_strangers_and_others_are(tmp_path: Path) -> None:
    known = {"RESONATE_SETTINGS": "x", **{f"{variable(name)}_FILE": "x" for name in SECRET_FIELDS}}
    assert unknown_variables(known) == []
    assert unknown_variables({"RESONATE_PORT_FILE": "x", "RESONATE_SETTING": "x"}) == [
        "RESONATE_PORT_FILE is not a setting, did you mean RESONATE_PORT?",
        "RESONATE_SETTING is not a setting, did you mean RESONATE_SETTINGS?",
    ]


def test_what_is_in_force_is_shown_with_its_place_and_no_secret(tmp_path: Path) -> None:
    environment = settings_file(tmp_path, "port = 9000", f"webhook_secret = '{OF_EACH['webhook_secret']}'")
    environment |= {"RESONATE_HOST": "::1"} | {variable(name): value for name, value in OF_EACH.items()}
    rows = told(environment)
    assert list(rows) == list(Settings.model_fields)
    assert rows["port"] == {"name": "port", "value": 9000, "from": "file", "where": environment["RESONATE_SETTINGS"]}
    assert rows["host"] == {"name": "host", "value": "::1", "from": "environment", "where": "RESONATE_HOST"}
    assert rows["workers"]["from"] == "default"
    assert {rows[name]["value"] for name in SECRET_FIELDS} == {"…"}
    assert all(told({})[name]["value"] in (None, []) for name in SECRET_FIELDS)


VALUES = {  # four that are told apart: of an option, the environment, the file, and its default
    "port": (1, 2, 3, 8000),
    "host": ("a", "b", "c", "127.0.0.1"),
    "drain_seconds": (1.5, 2.5, 3.5, 7.0),
    "dashboard": ("off", "off", "off", "on"),
    "retention_days": (1, 2, 3, 730),
}


@given(st.fixed_dictionaries({name: st.sets(st.sampled_from([0, 1, 2])) for name in VALUES}))
@settings(max_examples=examples(60))
def test_whatever_is_told_where_the_first_place_of_each_setting_counts(places: dict[str, set[int]]) -> None:
    with TemporaryDirectory() as folder:
        environment = settings_file(
            Path(folder), *(f"{name} = {json.dumps(VALUES[name][2])}" for name, told in places.items() if 2 in told)
        )
        environment |= {variable(name): str(VALUES[name][1]) for name, told in places.items() if 1 in told}
        options = {name: VALUES[name][0] for name, told in places.items() if 0 in told}
        loaded = load_settings(environment, **options)
    for name, told in places.items():
        assert getattr(loaded, name) == VALUES[name][min(told, default=3)]


def test_a_secret_that_everybody_can_read_is_told_of_with_its_file(tmp_path: Path) -> None:
    """A settings file without a secret in it may be read by anybody."""
    settings, keys, plain = tmp_path / "settings.toml", tmp_path / "keys", tmp_path / "plain.toml"
    keys.write_text("sk_0123456789abcdef")
    settings.write_text(f'redis_url = "redis://u:p@127.0.0.1:1"\npublishable_keys_file = "{keys}"\n')
    plain.write_text("port = 1\n")
    for path in (settings, keys, plain):
        path.chmod(0o644)
    named = {"RESONATE_SETTINGS": str(settings), "RESONATE_SECRET_KEYS_FILE": str(keys)}
    told = readable_by_all(named)
    assert [warning.partition(":")[0] for warning in told] == [str(keys), str(settings)]
    assert told[1] == f"{settings}: every user of this machine can read redis_url there; chmod o= {settings}"
    for path in (settings, keys):
        path.chmod(0o640)
    assert readable_by_all(named) == []
    assert readable_by_all({"RESONATE_SETTINGS": str(plain), "RESONATE_SECRET_KEYS_FILE": "/nowhere"}) == []


def test_what_is_outranked_is_looked_at_too(tmp_path: Path) -> None:
    settings = tmp_path / "settings.toml"
    settings.write_text('port = "many"\n')
    with pytest.raises(SettingsError) as refused:
        load_settings({"RESONATE_SETTINGS": str(settings), "RESONATE_PORT": "8001"}, port=8002)
    [problem] = refused.value.problems
    assert problem.startswith(f"{settings}: port")
    with pytest.raises(SettingsError, match="RESONATE_PORT"):
        load_settings({"RESONATE_PORT": "many"}, port=8002)
