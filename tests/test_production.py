"""The processes of docker-compose.yml, started here with the environment it gives them."""

import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from fixtures.stack import Stack
from fixtures.stack.ports import free_port

ROOT = Path(__file__).resolve().parents[1]
PATIENCE_S = 60.0


@dataclass(slots=True)
class Production:
    """Starts services of the compose file outside a container."""

    services: dict[str, Any]
    folder: Path
    replacements: dict[str, str]
    overrides: dict[str, str]
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def environment(self, name: str) -> dict[str, str]:
        """Return what the compose file gives a service, with this machine's places."""
        given = {
            key: self._here(value) for key, value in self.services[name]["environment"].items()
        }
        run_dir = self.folder / "run" / name
        run_dir.mkdir(parents=True, exist_ok=True)
        return {
            "PATH": os.environ["PATH"],
            "OUTPOST_RUN_DIR": str(run_dir),
            **given,
            **self.overrides,
        }

    def command(self, name: str) -> list[str]:
        """Return the command line of a service."""
        outpost = str(Path(sys.executable).with_name("outpost"))
        return [outpost, *(self._here(word) for word in self.services[name]["command"])]

    def run(self, name: str) -> subprocess.CompletedProcess[str]:
        """Run a service that ends by itself."""
        return subprocess.run(
            self.command(name),
            env=self.environment(name),
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )

    def start(self, name: str) -> subprocess.Popen[bytes]:
        """Start a service that stays."""
        with (self.folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                self.command(name),
                env=self.environment(name),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.running.append(process)
        return process

    def log(self, name: str) -> str:
        """Return what a service wrote."""
        return (self.folder / f"{name}.log").read_text(encoding="utf-8", errors="replace")

    def _here(self, value: str) -> str:
        text = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", str(value))
        for there, here in self.replacements.items():
            text = text.replace(there, here)
        return text


@pytest.fixture
def production(chaos_stack: Stack, tmp_path: Path) -> Iterator[Production]:
    """The compose file's processes on a fresh stack, secrets in files."""
    secrets = tmp_path / "secrets"
    script = ROOT / "server" / "deploy" / "make-secrets.sh"
    subprocess.run([str(script), str(secrets)], check=True, capture_output=True)
    urls = chaos_stack.postgres.urls()
    known = chaos_stack.credentials
    actual = {
        "db_owner_url": urls.owner,
        "db_app_url": urls.app,
        "db_ingest_url": urls.ingest,
        "db_engine_url": urls.engine,
        "redis_url": chaos_stack.redis.url,
        "mqtt_ingest_password": known.mqtt_ingest_password,
        "mqtt_keeper_password": known.mqtt_keeper_password,
    }
    for name, text in actual.items():
        (secrets / name).chmod(0o600)
        (secrets / name).write_text(text, encoding="utf-8")
    made = Production(
        services=yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))[
            "services"
        ],
        folder=tmp_path,
        replacements={
            "/run/secrets": str(secrets),
            "0.0.0.0:8080": f"127.0.0.1:{free_port()}",
            "0.0.0.0:8081": f"127.0.0.1:{free_port()}",
        },
        overrides={
            "OUTPOST_MQTT_HOST": "127.0.0.1",
            "OUTPOST_MQTT_PORT": str(known.service_port),
            "OUTPOST_BROKER_DIR": str(chaos_stack.mosquitto.directory),
            "OUTPOST_BROKER_PIDFILE": str(chaos_stack.mosquitto.pid_file),
        },
    )
    yield made
    for process in made.running:
        process.terminate()
    for process in made.running:
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _answer(address: str, host: str) -> int:
    request = urllib.request.Request(address, headers={"Host": host})
    try:
        with urllib.request.urlopen(request, timeout=5) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code
    except OSError:
        return 0


def _eventually(process: subprocess.Popen[bytes], probe: Any, log: Any) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not probe():
        assert process.poll() is None, log()
        assert time.monotonic() < deadline, log()
        time.sleep(0.1)


@pytest.mark.mqtt
def test_every_process_starts_with_what_the_compose_file_gives_it(production: Production) -> None:
    migrated = production.run("migrate")
    assert migrated.returncode == 0, migrated.stderr

    gatekeeper = production.start("gatekeeper")
    devices = Path(production.overrides["OUTPOST_BROKER_DIR"]) / "devices.pw"
    devices.unlink()
    _eventually(gatekeeper, devices.exists, lambda: production.log("gatekeeper"))

    ingest = production.start("ingest")
    check = production.services["ingest"]["healthcheck"]["test"][-1]
    status = Path(production.environment("ingest")["OUTPOST_RUN_DIR"]) / "ingest.status.json"
    here = check.replace("/run/outpost/ingest.status.json", str(status))

    def well() -> bool:
        done = subprocess.run([sys.executable, "-c", here], capture_output=True, check=False)
        return done.returncode == 0

    _eventually(ingest, well, lambda: production.log("ingest"))

    engine = production.start("engine")
    for name, port in (("web", "8080"), ("stream", "8081")):
        process = production.start(name)
        address = f"http://{production.replacements[f'0.0.0.0:{port}']}/livez"
        for host in ("localhost", "127.0.0.1"):
            _eventually(
                process,
                lambda a=address, h=host: _answer(a, h) == 200,
                lambda n=name: production.log(n),
            )
        assert _answer(address, "elsewhere.example") == 400
    assert engine.poll() is None, production.log("engine")


def test_a_weak_secret_stops_a_process_with_one_line(production: Production) -> None:
    secret = Path(production.environment("web")["OUTPOST_SECRET_KEY_FILE"])
    secret.chmod(0o600)
    secret.write_text("changeme", encoding="utf-8")
    done = production.run("web")
    assert done.returncode == 2
    assert "OUTPOST_SECRET_KEY" in done.stderr
    assert "Traceback" not in done.stderr
