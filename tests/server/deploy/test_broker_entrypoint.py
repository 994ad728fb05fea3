"""The script that runs mosquitto in its container, run here with this machine's paths."""

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from fixtures.stack.account import service_account
from fixtures.stack.daemon import Daemon
from fixtures.stack.ports import answers, free_port
from server.broker.config import (
    SERVICE_USERS,
    BrokerConfig,
    render_config,
    render_device_acl,
    render_service_acl,
)
from server.broker.files import replace_file
from server.broker.passwords import hash_password, password_file
from tests.factories.mqtt_client import MqttClient

SCRIPT = Path(__file__).resolve().parents[3] / "server" / "deploy" / "broker-entrypoint.sh"


@dataclass(slots=True)
class Container:
    """What the container of the broker sees, in a folder."""

    folder: Path
    device_port: int
    service_port: int
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        env = {
            "PATH": os.pathsep.join([os.environ["PATH"], "/usr/sbin", "/sbin"]),
            "BROKER_CONFIG": str(self.folder / "mosquitto.conf"),
            "BROKER_DIR": str(self.folder / "files"),
            "BROKER_OWN_DIR": str(self.folder / "services"),
            "BROKER_SECRETS": str(self.folder / "secrets"),
            "BROKER_DATA": str(self.folder / "data"),
        }
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                ["/bin/sh", str(self.folder / "entrypoint.sh")],
                env=env,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **service_account().identity(),
            )
        watcher = Daemon("entrypoint", folder=self.folder, account=service_account())
        watcher.log_path = self.folder / "log"
        for _ in range(500):
            if answers(self.device_port, timeout_s=0.05) and answers(self.service_port):
                return
            assert self.process.poll() is None, watcher.log_tail(20)
            time.sleep(0.02)
        raise AssertionError(watcher.log_tail(20))

    def stop(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(10)

    def set_devices(self, known: dict[str, str]) -> None:
        hashes = {
            name: hash_password(word, secrets.token_bytes(12)) for name, word in known.items()
        }
        replace_file(self.folder / "files" / "devices.pw", password_file(hashes))


@pytest.fixture
def container() -> Iterator[Container]:
    """Folders, secrets and configuration of a broker that is not started yet."""
    folder = Path(tempfile.mkdtemp(prefix="outpost-broker-"))
    account = service_account()
    made = Container(folder, free_port(), free_port())
    for name in ("files", "services", "secrets", "data"):
        (folder / name).mkdir()
    for user in SERVICE_USERS:
        (folder / "secrets" / f"mqtt_{user}_password").write_text(f"{user}-word", encoding="utf-8")
    config = BrokerConfig(
        directory=folder / "services",
        data_directory=folder / "data",
        device_port=made.device_port,
        service_port=made.service_port,
        device_bind="127.0.0.1",
        rules_directory=folder,
    )
    # The account of the broker may not be able to enter the checkout.
    shutil.copyfile(SCRIPT, folder / "entrypoint.sh")
    replace_file(folder / "mosquitto.conf", render_config(config), mode=0o644)
    replace_file(folder / "devices.acl", render_device_acl(), mode=0o644)
    replace_file(folder / "services.acl", render_service_acl(), mode=0o644)
    for path in (folder, *(entry for entry in folder.iterdir() if entry.is_dir())):
        account.give(path, 0o755)
    account.share(folder / "files")
    made.set_devices({"phone-alice": "first"})
    yield made
    if made.process is not None and made.process.poll() is None:
        made.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.mqtt
def test_services_sign_in_with_the_secrets_and_a_new_phone_is_noticed(container: Container) -> None:
    container.start()
    with MqttClient(container.service_port, "ingest", "ingest-word") as ingest:
        assert ingest.refused is None
        ingest.subscribe("owntracks/#")
        with MqttClient(container.device_port, "phone-alice", "first") as alice:
            container.set_devices({"phone-robert": "second"})
            assert alice.disconnected.wait(5)
        with MqttClient(container.device_port, "phone-robert", "second") as robert:
            assert robert.refused is None
            robert.publish("owntracks/phone-robert/x", "enrolled")
            assert ingest.take().payload == b"enrolled"
        assert not ingest.disconnected.is_set()
    assert container.stop() == 0


@pytest.mark.mqtt
def test_a_queue_survives_an_orderly_stop(container: Container) -> None:
    container.start()
    with MqttClient(container.service_port, "ingest", "ingest-word", clean=False) as ingest:
        ingest.subscribe("owntracks/#")
    with MqttClient(container.device_port, "phone-alice", "first") as alice:
        alice.publish("owntracks/phone-alice/x", "while nobody listened")
    assert container.stop() == 0
    container.start()
    with MqttClient(container.service_port, "ingest", "ingest-word", clean=False) as ingest:
        assert ingest.take().payload == b"while nobody listened"


@pytest.mark.mqtt
def test_a_corrupt_store_is_put_aside_and_said(container: Container) -> None:
    store = container.folder / "data" / "mosquitto.db"
    store.write_bytes(b"truncated by a full disk")
    service_account().give(store, 0o600)
    container.start()
    log = container.folder / "log"
    for _ in range(500):
        if "ALARM" in log.read_text(encoding="utf-8"):
            break
        time.sleep(0.02)
    assert "ALARM" in log.read_text(encoding="utf-8")
    assert [path.name for path in store.parent.glob("*.bad.*")]


@pytest.mark.mqtt
def test_a_wrong_configuration_does_not_cost_the_store(container: Container) -> None:
    store = container.folder / "data" / "mosquitto.db"
    store.write_bytes(b"precious")
    service_account().give(store, 0o600)
    (container.folder / "mosquitto.conf").write_text("no such option\n", encoding="utf-8")
    with pytest.raises(AssertionError, match="Unknown configuration"):
        container.start()
    assert store.read_bytes() == b"precious"
