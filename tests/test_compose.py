"""What can be checked of the production shape where no container engine runs."""

import re
import subprocess
import sys
import tempfile
from importlib import metadata, resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from redis import Redis

from fixtures.stack.account import service_account
from fixtures.stack.daemon import Daemon
from fixtures.stack.ports import answers, free_port
from fixtures.stack.programs import find_program

ROOT = Path(__file__).resolve().parents[1]
OWN = {"migrate", "upkeep", "gatekeeper", "ingest", "engine", "web", "stream"}


@pytest.fixture(scope="module")
def compose() -> dict[str, dict[str, dict[str, object]]]:
    """The compose file as an engine reads it, merge keys resolved."""
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    loaded: dict[str, dict[str, dict[str, object]]] = yaml.safe_load(text)
    return loaded


@pytest.fixture(scope="module")
def services(
    compose: dict[str, dict[str, dict[str, object]]],
) -> dict[str, dict[str, object]]:
    """Services by name."""
    return compose["services"]


def test_file_follows_the_compose_schema(
    compose: dict[str, Any],
) -> None:
    schema_text = (
        resources.files("check_jsonschema") / "builtin_schemas" / "vendor" / "compose-spec.json"
    ).read_text(encoding="utf-8")
    schema: dict[str, Any] = yaml.safe_load(schema_text)
    validator = jsonschema.validators.validator_for(schema)(schema)
    assert [error.message for error in validator.iter_errors(compose)] == []
    broken: dict[str, Any] = {**compose, "services": {"web": {"imagee": "x"}}}
    assert not validator.is_valid(broken)


def test_every_process_is_there_and_nothing_else_is_published(
    services: dict[str, dict[str, object]],
) -> None:
    assert set(services) == OWN | {"postgres", "redis", "broker", "proxy", "roads"}
    published = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert published == {"broker": ["8883:8883"], "proxy": ["443:8443", "80:8080"]}
    outside = {name for name, service in services.items() if "edge" in str(service["networks"])}
    assert outside == {"broker", "proxy"}
    asking = {name for name, s in services.items() if "outward" in str(s["networks"])}
    assert asking == {"engine", "web"}, "only what asks carriers reaches other networks"


def test_every_container_is_confined(services: dict[str, dict[str, object]]) -> None:
    for name, service in services.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        user = str(service["user"]).split(":")
        assert len(user) == 2, name
        assert all(int(part) > 0 for part in user), name
        assert "privileged" not in service, name


def test_images_are_pinned_to_a_version(services: dict[str, dict[str, object]]) -> None:
    for name, service in services.items():
        assert re.search(r":\d+[\d.]*\d(-[\w.]+)?$", str(service["image"])), name
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert re.search(r"^ARG PYTHON_IMAGE=python:\d+\.\d+\.\d+-", dockerfile, re.MULTILINE)
    assert "latest" not in dockerfile
    for line in re.findall(r"pip install .*", dockerfile):
        assert "--require-hashes" in line or "--no-deps --no-build-isolation" in line


def test_secrets_come_from_files_and_reach_those_who_name_them(
    compose: dict[str, dict[str, dict[str, object]]], services: dict[str, dict[str, object]]
) -> None:
    secrets = compose["secrets"]
    for name, service in services.items():
        granted = service.get("secrets", [])
        assert isinstance(granted, list)
        assert set(granted) <= set(secrets), name
        text = yaml.safe_dump({key: value for key, value in service.items() if key != "secrets"})
        named = set(re.findall(r"/run/secrets/(\w+)", text))
        assert named <= set(granted), name
        environment = service.get("environment", {})
        assert isinstance(environment, dict)
        for variable, value in environment.items():
            if re.search(r"PASSWORD|SECRET|KEY|DATABASE_URL|REDIS_URL", variable):
                assert variable.endswith("_FILE"), f"{name}: {variable}"
                assert str(value).startswith("/run/secrets/"), f"{name}: {variable}"


def test_long_running_services_tell_whether_they_are_well(
    services: dict[str, dict[str, object]],
) -> None:
    silent = {name for name, service in services.items() if "healthcheck" not in service}
    # Two that end or sleep, and workers that have nothing to answer with: they end when ill.
    assert silent == {"migrate", "upkeep", "engine"}


def test_mounted_files_exist(services: dict[str, dict[str, object]]) -> None:
    for name, service in services.items():
        volumes = service.get("volumes", [])
        assert isinstance(volumes, list)
        for volume in volumes:
            source = str(volume).split(":", maxsplit=1)[0]
            if source.startswith("./"):
                assert (ROOT / source).exists(), f"{name}: {source}"


def test_commands_of_our_image_exist(services: dict[str, dict[str, object]]) -> None:
    scripts = {entry.name for entry in metadata.entry_points(group="console_scripts")}
    assert "outpost" in scripts
    for name in sorted(OWN):
        command = services[name]["command"]
        assert isinstance(command, list)
        if services[name].get("entrypoint"):
            command = str(command[0]).partition("outpost ")[2].split(";")[0].split()
        options = [word for word in command if word.startswith("--")]
        shown = subprocess.run(
            [str(Path(sys.executable).with_name("outpost")), command[0], "--help"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert shown.returncode == 0, shown.stderr
        for option in options:
            assert option in shown.stdout, f"{name}: {option}"


def test_production_lock_is_a_part_of_the_developers_lock() -> None:
    def pins(name: str) -> set[str]:
        text = (ROOT / "requirements" / name).read_text(encoding="utf-8")
        return set(re.findall(r"^([a-z0-9._-]+==\S+)", text, re.MULTILINE))

    assert pins("app.lock") < pins("dev.lock")
    assert not any(pin.startswith(("pytest", "mypy", "ruff")) for pin in pins("app.lock"))


def test_made_secrets_are_complete_kept_and_usable(
    compose: dict[str, dict[str, dict[str, object]]], tmp_path: Path
) -> None:
    script = ROOT / "server" / "deploy" / "make-secrets.sh"
    folder = tmp_path / "secrets"
    made: dict[str, str] = {}
    for _ in range(2):
        done = subprocess.run(
            [str(script), str(folder)], capture_output=True, text=True, check=True
        )
        assert "tls_certificate" in done.stderr
        made = {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}
    assert set(made) == set(compose["secrets"]) - {"tls_certificate", "tls_key"}
    assert folder.stat().st_mode & 0o077 == 0
    assert made["db_app_password"] in made["db_app_url"]
    assert len({text for name, text in made.items() if name.endswith("_password")}) == 9
    subprocess.run([str(script), str(folder)], capture_output=True, check=True)
    again = {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}
    assert again == made
    _redis_takes(made["redis_acl"], made["redis_password"])


def _redis_takes(acl: str, password: str) -> None:
    """Start a Redis with the access list and use it the way Outpost does."""
    port = free_port()
    account = service_account()
    folder = Path(tempfile.mkdtemp(prefix="outpost-acl-"))
    account.give(folder, 0o755)
    try:
        (folder / "acl").write_text(acl, encoding="utf-8")
        account.give(folder / "acl", 0o400)
        daemon = Daemon("redis", folder=folder, account=account)
        program = str(find_program("redis-server", package="redis-server"))
        arguments = ["--port", str(port), "--bind", "127.0.0.1", "--save", ""]
        daemon.start([program, "--aclfile", str(folder / "acl"), *arguments], cwd=folder)
        try:
            assert daemon.wait_ready(lambda: answers(port), timeout_s=10), daemon.log_tail()
            with Redis(port=port, password=password, decode_responses=True) as client:
                entry = client.xadd("live:1", {"a": "b"}, maxlen=10)
                assert client.xread({"live:1": "0"}, count=1) is not None
                assert client.xrange("live:1", entry, entry)
                assert client.set("k", "v", ex=5)
                assert client.info("server")
                with pytest.raises(Exception, match="no permissions"):
                    client.config_get("*")
        finally:
            daemon.stop()
    finally:
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()
