"""Commands of this package: decode one message, run the consumer, run the gatekeeper."""

import json
import math
import os
import sys
from dataclasses import asdict
from datetime import datetime
from typing import Any

import click

from geo.cli import BadInput, OneLineCommand
from geo.fix import from_epoch_s
from ingest.topics import parse_topic
from ingest.wire import Cell, Decoded, DeviceEvent, Ignored, Reason, Rejection, WireFix
from ingest.wire.instants import Envelope
from ingest.wire.owntracks import MAX_BATCH_BYTES
from ingest.wire.owntracks import decode as decode_owntracks

FORMATS = ("owntracks", "osmand", "overland", "network-survey", "geosubmit", "mlp")


@click.command(cls=OneLineCommand)
@click.argument("format_name", metavar="FORMAT", type=click.Choice(FORMATS))
@click.option("--topic", help="Topic it came on, owntracks/USER/DEVICE; gives `device`.")
@click.option("--secret", help="Secret of OwnTracks payload encryption.")
def decode(format_name: str, topic: str | None, secret: str | None) -> None:
    """Decode one message from standard input to JSON.

    Answers a list of fixes and events, or {"rejected": REASON, "detail": …}; of an array
    each member that cannot be stored is such an object in its place. Times are UTC,
    positions WGS-84 degrees, speeds m/s; what is unknown is null, never 0. Times are not
    compared with this machine's clock.
    """
    if format_name != "owntracks":
        message = f"format {format_name} is not in this version; it decodes: owntracks"
        raise BadInput(message)
    payload = sys.stdin.buffer.read(MAX_BATCH_BYTES + 1)
    answer = _decode(payload.rstrip(b"\r\n"), topic, secret)
    click.echo(json.dumps(answer, ensure_ascii=False, separators=(", ", ": ")))


def _decode(
    payload: bytes, topic: str | None, secret: str | None
) -> dict[str, Any] | list[dict[str, Any]]:
    device = None
    if topic is not None:
        parsed = parse_topic(topic)
        if isinstance(parsed, Rejection):
            return _rejected(parsed)
        device = parsed.username
    results = decode_owntracks(payload, Envelope(username=device, secret=secret))
    only = results[0] if len(results) == 1 else None
    if isinstance(only, Rejection) and not (only.raw and payload.lstrip().startswith(b"[")):
        return _rejected(only)
    return [
        _rejected(result) if isinstance(result, Rejection) else _shown(result, device)
        for result in results
        if not isinstance(result, Ignored)
    ]


def _rejected(rejection: Rejection) -> dict[str, Any]:
    return {"rejected": rejection.reason.value, "detail": rejection.detail}


def _shown(result: Decoded, device: str | None) -> dict[str, Any]:
    if isinstance(result, WireFix):
        return {
            "type": "fix",
            "device": device,
            "fixed_at": _time(result.fixed_s),
            "lon": result.lon_deg,
            "lat": result.lat_deg,
            "accuracy_m": _float(result.accuracy_m),
            "speed_mps": result.speed_mps,
            "course_deg": _float(result.course_deg),
            "altitude_m": _float(result.altitude_m),
            "battery_pct": result.battery_pct,
            "mock": result.mock,
            "source": result.source.value,
            "trigger": result.trigger,
            "sent_at": _time(result.sent_s),
            "charging": result.charging,
            "connection": result.connection,
            "flags": list(result.as_fix().flags.names()) if math.isfinite(result.fixed_s) else [],
            "cells": [_cell(cell) for cell in result.cells],
        }
    assert isinstance(result, DeviceEvent)
    return {
        "type": "event",
        "kind": result.kind.value,
        "device": device,
        "at": _time(result.at_s),
        **result.body,
    }


def _float(value: float | None) -> float | None:
    """Return a measure with its point: phones write whole numbers, the type is float."""
    return None if value is None else float(value)


def _cell(cell: Cell) -> dict[str, Any]:
    return {name: getattr(cell, name) for name in cell.__struct_fields__}


def _time(epoch_s: float | None) -> str | None:
    if epoch_s is None or not math.isfinite(epoch_s):
        return None
    return from_epoch_s(epoch_s).isoformat().replace("+00:00", "Z")


@click.command()
def ingest() -> None:
    """Run the MQTT consumer that stores fixes; SIGTERM drains and ends it."""
    # The pure command above needs neither database nor broker.
    from ingest.link import NotDurableError, SecondConsumerError  # noqa: PLC0415
    from ingest.process import run_ingest  # noqa: PLC0415
    from server.logs import configure_logs  # noqa: PLC0415
    from server.settings import Settings  # noqa: PLC0415

    configure_logs()
    try:
        run_ingest(Settings.from_environ(os.environ, role="ingest"))
    except (SecondConsumerError, NotDurableError) as error:
        raise BadInput(str(error)) from None


@click.command()
def gatekeeper() -> None:
    """Run the writer of the broker's password file; SIGTERM ends it."""
    from ingest.gatekeeper import run_gatekeeper  # noqa: PLC0415
    from server.logs import configure_logs  # noqa: PLC0415
    from server.settings import Settings  # noqa: PLC0415

    configure_logs()
    run_gatekeeper(Settings.from_environ(os.environ, role="engine"))


@click.command(cls=OneLineCommand)
@click.option(
    "--reason",
    "reasons",
    multiple=True,
    help="Only this reason code; may be repeated. Default: all but crash and forbidden.",
)
@click.option("--since", type=click.DateTime(["%Y-%m-%d"]), help="First UTC date of receipt.")
def replay(reasons: tuple[str, ...], since: datetime | None) -> None:
    """Send quarantined messages through again, after a rule or a mistake was mended."""
    from ingest.replay import replay as run  # noqa: PLC0415
    from server.clock import SystemClock  # noqa: PLC0415
    from server.crypto import Vault  # noqa: PLC0415
    from server.db.engine import make_engine, make_session_factory  # noqa: PLC0415
    from server.logs import configure_logs  # noqa: PLC0415
    from server.settings import Settings  # noqa: PLC0415

    unknown = set(reasons) - {reason.value for reason in Reason}
    if unknown:
        message = f"no such reason: {', '.join(sorted(unknown))}"
        raise BadInput(message)
    configure_logs()
    settings = Settings.from_environ(os.environ, role="ingest")
    engine = make_engine(settings.database_url, application_name="outpost-replay")
    try:
        done = run(
            make_session_factory(engine),
            SystemClock(),
            Vault(settings.data_key),
            reasons=[Reason(reason) for reason in reasons],
            since_on=None if since is None else since.date(),
        )
    finally:
        engine.dispose()
    click.echo(json.dumps(asdict(done)))
