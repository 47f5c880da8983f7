"""The files of `ops/` for systemd, Kubernetes and compose: valid by their own tools, and at one with the product."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from servers.patience import HUNG_SECONDS
from servers.proxies import program

from app.runtime.settings import SECRET_FIELDS, load_settings, unknown_variables
from app.runtime.sources import variable

REPOSITORY = Path(__file__).parents[2]
OPS = REPOSITORY / "ops"
UNIT = OPS / "systemd" / "resonate.service"
COMPOSE = OPS / "compose.yaml"
MANIFESTS = sorted((OPS / "kubernetes").glob("*.yaml"))
EXPOSURE = 25  # of 100, as `systemd-analyze security` counts: 2.5 of 10
CLUSTERS = ("1.29", "1.31", "1.34", "1.37")  # of which age a cluster may be


def documents(path: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(path.read_text(encoding="utf-8")))


def of_kind(kind: str) -> list[dict[str, Any]]:
    return [each for path in MANIFESTS for each in documents(path) if each["kind"] == kind]


def unit_lines(section: str) -> Iterator[tuple[str, str]]:
    """What a section of the unit says, in its order: names may stand in it several times."""
    text = UNIT.read_text(encoding="utf-8").partition(f"[{section}]\n")[2].partition("\n[")[0]
    for line in text.splitlines():
        name, separator, value = line.partition("=")
        if separator and not line.startswith("#"):
            yield name, value


def installed_unit(folder: Path) -> Path:
    """The unit, with the program of this environment instead of one that is not installed here."""
    path = folder / UNIT.name
    path.write_text(UNIT.read_text().replace("/opt/resonate/bin/", f"{Path(sys.executable).parent}/"))
    return path


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=HUNG_SECONDS, check=False)


def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path: Path) -> None:
    analyze = program("systemd-analyze", "systemd")
    unit = installed_unit(tmp_path)
    verified = run(analyze, "verify", "--man=no", unit)
    assert (verified.returncode, verified.stdout + verified.stderr) == (0, "")
    unit.write_text(unit.read_text().replace("ProtectSystem=strict", "ProtectSistem=strict"))
    assert "ProtectSistem" in run(analyze, "verify", "--man=no", unit).stderr


def test_systemd_finds_nothing_wrong_with_the_nightly_backup(tmp_path: Path) -> None:
    analyze = program("systemd-analyze", "systemd")
    units = [tmp_path / f"resonate-backup.{kind}" for kind in ("service", "timer")]
    for unit in units:
        unit.write_text((UNIT.parent / unit.name).read_text())
    verified = run(analyze, "verify", "--man=no", *units)
    assert (verified.returncode, verified.stdout + verified.stderr) == (0, "")
    assert run(analyze, "calendar", "*-*-* 03:15").returncode == 0


def test_the_unit_is_exposed_to_little(tmp_path: Path) -> None:
    analyze = program("systemd-analyze", "systemd")
    judged = ["security", "--offline=true", f"--threshold={EXPOSURE}", "--no-pager"]
    unit = installed_unit(tmp_path)
    held = run(analyze, *judged, unit)
    assert held.returncode == 0, held.stdout
    open_wide = unit.read_text().replace("ProtectSystem=strict\n", "").replace("CapabilityBoundingSet=\n", "")
    unit.write_text(open_wide.replace("SystemCallFilter=@system-service\nSystemCallFilter=~@privileged\n", ""))
    assert run(analyze, *judged, unit).returncode != 0


def test_the_unit_notifies_and_may_open_files_and_write_its_own_directory_alone() -> None:
    said = dict(unit_lines("Service"))
    assert (said["Type"], said["WatchdogSec"], said["LimitNOFILE"]) == ("notify", "30", "65536")
    assert (said["DynamicUser"], said["StateDirectory"], said["ProtectSystem"]) == ("yes", "resonate", "strict")
    assert "ReadWritePaths" not in said
    environment = environment_of_the_unit()
    assert environment["RESONATE_DATA"].startswith(f"/var/lib/{said['StateDirectory']}/")
    held = {value.partition(":")[0] for name, value in unit_lines("Service") if name == "LoadCredential"}
    assert held == {value.removeprefix("%d/") for name, value in environment.items() if name.endswith("_FILE")}


def environment_of_the_unit() -> dict[str, str]:
    lines = (value for name, value in unit_lines("Service") if name == "Environment")
    return {name: value for name, _, value in (line.partition("=") for line in lines)}


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.name)
def test_a_cluster_of_any_age_takes_the_manifests(path: Path) -> None:
    for document in documents(path):
        for cluster in CLUSTERS:
            kubernetes_validate.validate(document, cluster, strict=True)
        with pytest.raises(kubernetes_validate.ValidationError):
            kubernetes_validate.validate(document | {"sped": {}}, CLUSTERS[-1], strict=True)


def test_compose_takes_its_file(tmp_path: Path) -> None:
    check = [Path(sys.executable).parent / "check-jsonschema", "--builtin-schema", "vendor.compose-spec"]
    taken = run(*check, COMPOSE)
    assert taken.returncode == 0, taken.stdout
    spoilt = tmp_path / "compose.yaml"
    spoilt.write_text(COMPOSE.read_text().replace("read_only:", "read_onely:"))
    assert run(*check, spoilt).returncode == 1


def container() -> dict[str, Any]:
    [stateful] = of_kind("StatefulSet")
    [found] = stateful["spec"]["template"]["spec"]["containers"]
    return found


def environments() -> dict[str, dict[str, str]]:
    """By file what it sets, as the service sees it."""
    image = re.findall(r"(RESONATE_\w+)=(\S+)", (OPS / "image" / "Containerfile").read_text())
    return {
        "image": dict(image),
        "systemd": environment_of_the_unit(),
        "kubernetes": {each["name"]: each["value"] for each in container()["env"]},
        "compose": documents(COMPOSE)[0]["services"]["resonate"]["environment"],
    }


def test_every_variable_that_is_set_is_a_setting_whose_value_can_be_used() -> None:
    for place, environment in environments().items():
        files = {name for name in environment if name.endswith("_FILE")}
        assert files <= {f"{variable(name)}_FILE" for name in SECRET_FIELDS}, place
        assert load_settings({name: value for name, value in environment.items() if name not in files}), place
        assert unknown_variables(environment) == [], place
        assert float(environment["RESONATE_LAME_DUCK_SECONDS"]) > 0, place


def test_the_settings_of_the_cluster_are_settings(tmp_path: Path) -> None:
    [text] = [each["data"]["resonate.toml"] for each in of_kind("ConfigMap") if "resonate.toml" in each["data"]]
    path = tmp_path / "resonate.toml"
    path.write_text(re.sub(r"^# ", "", text, flags=re.MULTILINE))  # with what is only proposed there
    assert load_settings({"RESONATE_SETTINGS": str(path)}).workers == 2
    assert container()["args"][1:] == ["--settings", "/etc/resonate/resonate.toml"]


def test_the_definitions_of_the_cluster_are_definitions(tmp_path: Path) -> None:
    [files] = [each["data"] for each in of_kind("ConfigMap") if each["metadata"]["name"] == "resonate-definitions"]
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RESONATE_")}
    check = [sys.executable, "-P", "-m", "app.cli.main", "check", str(tmp_path), "--json"]
    variables = kept | {"RESONATE_DATA": str(tmp_path / "data")}
    checked = subprocess.run(check, env=variables, capture_output=True, text=True, timeout=HUNG_SECONDS, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert json.loads(checked.stdout)["experiments"]


def test_what_is_mounted_is_there_and_the_data_lie_below_their_mount() -> None:
    [stateful] = of_kind("StatefulSet")
    spec = stateful["spec"]["template"]["spec"]
    kinds = ("ConfigMap", "Secret")
    made = {each["metadata"]["name"]: {*each.get("data", ()), *each.get("stringData", ())} for each in
            (document for kind in kinds for document in of_kind(kind))}  # fmt: skip
    sources = {each["name"]: each for each in spec["volumes"]}
    mounted = {each["name"]: each["mountPath"] for each in container()["volumeMounts"]}
    claimed = {each["metadata"]["name"] for each in stateful["spec"]["volumeClaimTemplates"]}
    assert set(mounted) == {*sources, *claimed}
    assert sources["settings"]["configMap"]["name"] in made
    assert sources["definitions"]["configMap"]["name"] in made
    held = made[sources["keys"]["secret"]["secretName"]]
    environment = environments()["kubernetes"]
    for name, value in environment.items():
        if name.endswith("_FILE"):
            assert value.rpartition("/")[0] == mounted["keys"]
            assert value.rpartition("/")[2] in held
    for place, variables in environments().items():
        folder = Path(variables.get("RESONATE_DATA", environments()["image"]["RESONATE_DATA"]))
        mount = {"systemd": "/var/lib/resonate"}.get(place, mounted["data"])
        assert folder.parent == Path(mount), place
    [service] = of_kind("Service")
    assert service["spec"]["selector"] == stateful["spec"]["template"]["metadata"]["labels"]
    assert stateful["spec"]["replicas"] == 1
    assert spec["enableServiceLinks"] is False  # else RESONATE_PORT is told to be tcp://…


def test_in_the_image_no_shell_stands_between_the_service_and_its_signals() -> None:
    lines = (OPS / "image" / "Containerfile").read_text().splitlines()
    started = {word: rest for word, _, rest in (line.partition(" ") for line in lines) if word in ("ENTRYPOINT", "CMD")}
    assert json.loads(started["ENTRYPOINT"]) == ["/opt/resonate/bin/resonate"]
    assert json.loads(started["CMD"]) == ["serve"]


def test_no_file_names_a_registry_of_anybody() -> None:
    files = [path for path in OPS.rglob("*") if path.is_file()]
    assert {"Containerfile", "compose.yaml", "resonate.service", "statefulset.yaml"} <= {path.name for path in files}
    for path in files:
        for image in re.findall(r"^(?:\s*image:|ARG BASE=)\s*(\S+)", path.read_text(), re.MULTILINE):
            assert "." not in image.partition("/")[0].partition(":")[0] or "/" not in image, (path.name, image)
