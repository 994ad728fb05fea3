"""The broker's configuration, as text and loaded by a real mosquitto."""

import queue
import re
import socket
import ssl
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from fixtures.stack import Stack
from fixtures.stack.account import service_account
from fixtures.stack.daemon import Daemon
from fixtures.stack.ports import answers, free_port
from fixtures.stack.programs import find_program
from server.broker.__main__ import write_files
from server.broker.config import (
    SERVICE_USERS,
    BrokerTls,
    production_config,
    render_config,
    render_device_acl,
    render_service_acl,
)
from tests.factories.certificates import throwaway_certificate
from tests.factories.mqtt_client import MqttClient

ROOT = Path(__file__).resolve().parents[3]
PHONES = {"phone-alice": "alice-secret", "phone-robert": "robert-secret"}


@pytest.fixture
def phones(stack: Stack) -> Iterator[int]:
    """Port of the listener for phones, with two phones known to the broker."""
    stack.mosquitto.set_devices(PHONES)
    port = stack.credentials.device_port
    yield port
    stack.mosquitto.set_devices({})


@pytest.fixture
def ingest(stack: Stack) -> Iterator[MqttClient]:
    """A consumer of everything that phones publish."""
    known = stack.credentials
    with MqttClient(known.service_port, "ingest", known.mqtt_ingest_password) as client:
        client.subscribe("owntracks/#")
        yield client


def _nothing_arrives(client: MqttClient) -> bool:
    try:
        client.take(0.5)
    except queue.Empty:
        return True
    return False


@pytest.mark.mqtt
def test_a_phone_reaches_ingest_under_its_own_name_only(phones: int, ingest: MqttClient) -> None:
    with MqttClient(phones, "phone-alice", PHONES["phone-alice"]) as alice:
        alice.publish("owntracks/phone-robert/x", "forged")
        alice.publish("owntracks/phone-alice/x", "own")
        alice.publish("owntracks/phone-alice/x/event", "transition")
        assert [ingest.take().payload for _ in range(2)] == [b"own", b"transition"]
    assert _nothing_arrives(ingest)


@pytest.mark.mqtt
def test_a_phone_reads_commands_to_itself_only(phones: int, ingest: MqttClient) -> None:
    with MqttClient(phones, "phone-alice", PHONES["phone-alice"]) as alice:
        alice.subscribe("owntracks/#")
        ingest.publish("owntracks/phone-robert/x/cmd", "for robert")
        ingest.publish("owntracks/phone-alice/x/cmd", "for alice")
        assert alice.take().payload == b"for alice"
        assert _nothing_arrives(alice)


@pytest.mark.mqtt
def test_a_phone_that_calls_itself_ingest_takes_nothing_over(
    phones: int, ingest: MqttClient
) -> None:
    with MqttClient(phones, "phone-alice", PHONES["phone-alice"], client_id="ingest") as alice:
        assert alice.refused is None
        alice.publish("owntracks/phone-alice/x", "still here")
        assert ingest.take().payload == b"still here"
    assert not ingest.disconnected.is_set()


@pytest.mark.mqtt
@pytest.mark.parametrize("secret", ["robert-secret", ""])
def test_a_wrong_secret_is_refused(phones: int, secret: str) -> None:
    with MqttClient(phones, "phone-alice", secret) as stranger:
        assert stranger.refused is not None


@pytest.mark.mqtt
def test_phones_and_services_do_not_share_a_door(phones: int, stack: Stack) -> None:
    known = stack.credentials
    with MqttClient(known.service_port, "phone-alice", PHONES["phone-alice"]) as phone:
        assert phone.refused is not None
    with MqttClient(phones, "ingest", known.mqtt_ingest_password) as service:
        assert service.refused is not None


@pytest.mark.mqtt
def test_quality_of_service_two_is_refused_by_a_fresh_broker(chaos_stack: Stack) -> None:
    # mosquitto 2.0.11 forgets max_qos when it reloads; from then on such a message is
    # simply delivered, so nothing may depend on the refusal.
    chaos_stack.mosquitto.set_devices(PHONES)
    chaos_stack.mosquitto.stop()
    chaos_stack.mosquitto.start()
    port = chaos_stack.credentials.device_port
    with MqttClient(port, "phone-alice", PHONES["phone-alice"]) as alice:
        assert not alice.disconnected.is_set()
        alice.offer("owntracks/phone-alice/x", "twice", qos=2)
        assert alice.disconnected.wait(5)


@pytest.mark.mqtt
def test_a_removed_phone_is_disconnected_by_a_reload(phones: int, stack: Stack) -> None:
    with MqttClient(phones, "phone-alice", PHONES["phone-alice"]) as alice:
        stack.mosquitto.set_devices({"phone-robert": PHONES["phone-robert"]})
        assert alice.disconnected.wait(2)


@pytest.mark.mqtt
def test_the_keeper_clears_a_retained_position(phones: int, stack: Stack) -> None:
    known = stack.credentials
    with MqttClient(phones, "phone-alice", PHONES["phone-alice"]) as alice:
        alice.publish("owntracks/phone-alice/x", "last place", retain=True)
    with MqttClient(known.service_port, "keeper", known.mqtt_keeper_password) as keeper:
        keeper.publish("owntracks/phone-alice/x", "", retain=True)
    with MqttClient(known.service_port, "ingest", known.mqtt_ingest_password) as client:
        client.subscribe("owntracks/#")
        assert _nothing_arrives(client)


def test_committed_files_are_what_the_code_renders(tmp_path: Path) -> None:
    write_files(tmp_path)
    for name in ("mosquitto.conf", "devices.acl", "services.acl"):
        committed = ROOT / "server" / "deploy" / "mosquitto" / name
        assert committed.read_text(encoding="utf-8") == (tmp_path / name).read_text(
            encoding="utf-8"
        ), f"run: python -m server.broker {committed.parent.relative_to(ROOT)}"


def test_what_loses_messages_by_default_is_set_explicitly() -> None:
    lines = render_config(production_config()).splitlines()
    assert "max_queued_messages 1000000" in lines
    assert "max_inflight_messages 1000" in lines
    assert "max_packet_size 65536" in lines
    assert "persistence true" in lines
    autosave = next(line for line in lines if line.startswith("autosave_interval"))
    assert 1 <= int(autosave.split()[1]) <= 10
    assert lines.count("allow_anonymous false") == 2
    assert lines.count("use_username_as_clientid true") == 2


def test_no_device_can_bear_the_name_of_a_service() -> None:
    for user in SERVICE_USERS:
        assert not re.fullmatch(r"[a-z0-9-]{8,32}", user)
        assert f"user {user}\n" in render_service_acl()


def test_rules_of_phones_never_reach_beyond_their_own_name() -> None:
    for line in render_device_acl().splitlines():
        kind, access, topic = line.split()
        assert (kind, access) in {("pattern", "write"), ("pattern", "read")}
        assert topic.startswith(("owntracks/%u/", "survey/%u/"))
        assert "#" not in topic


@pytest.mark.mqtt
def test_production_configuration_runs_with_tls(chaos_stack: Stack) -> None:
    """The text of the container's configuration, with this machine's paths put in."""
    folder = chaos_stack.data_dir / "tls"
    folder.mkdir()
    account = service_account()
    for name, data in throwaway_certificate("127.0.0.1").items():
        (folder / name).write_bytes(data)
        account.give(folder / name, 0o440)
    device_port, service_port = free_port(), free_port()
    directory = chaos_stack.mosquitto.directory
    chaos_stack.mosquitto.set_devices(PHONES)
    production = production_config()
    text = render_config(
        replace(
            production,
            directory=directory,
            rules_directory=directory,
            data_directory=folder,
            device_port=device_port,
            service_port=service_port,
            tls=BrokerTls(certificate=folder / "tls_certificate", key=folder / "tls_key"),
        )
    )
    assert text.count("\n") == render_config(production).count("\n")
    (folder / "mosquitto.conf").write_text(text, encoding="utf-8")
    account.give(folder, 0o750)
    account.give(folder / "mosquitto.conf", 0o640)
    daemon = Daemon("mosquitto-tls", folder=chaos_stack.data_dir, account=account)
    program = find_program("mosquitto", package="mosquitto")
    daemon.start([str(program), "-c", str(folder / "mosquitto.conf")], cwd=folder)
    try:
        both = (device_port, service_port)
        assert daemon.wait_ready(lambda: all(map(answers, both)), timeout_s=10), daemon.log_tail()
        trust = ssl.create_default_context(cafile=str(folder / "tls_certificate"))
        known = chaos_stack.credentials
        with (
            MqttClient(service_port, "ingest", known.mqtt_ingest_password) as ingest,
            MqttClient(device_port, "phone-alice", PHONES["phone-alice"], tls=trust) as alice,
        ):
            ingest.subscribe("owntracks/#")
            alice.publish("owntracks/phone-alice/x", "over tls")
            assert ingest.take().payload == b"over tls"
        with (
            pytest.raises(OSError),  # noqa: PT011 - the broker hangs up in one of several ways
            socket.create_connection(("127.0.0.1", device_port)) as raw,
            _old_tls().wrap_socket(raw) as stranger,
        ):
            stranger.recv(1)
    finally:
        daemon.stop()


def _old_tls() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1_1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    return context


def test_sessions_do_not_expire_because_the_broker_would_crash_over_it() -> None:
    # Seen with 2.0.11: restart with durable sessions, read a password file that lacks some of
    # them, let one come back: a segmentation fault. Without the setting it does not happen.
    assert "persistent_client_expiration" not in render_config(production_config())
