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
from geo.fix import QualityFlag, from_epoch_s
from geo.verdict import format_utc
from ingest.topics import parse_topic
from ingest.wire import (
    AccessPoint,
    Cell,
    Decoded,
    DeviceEvent,
    Ignored,
    RadioScan,
    Reason,
    Rejection,
    WireFix,
    mlp,
)
from ingest.wire.formats import BY_NAME, decode_safely
from ingest.wire.instants import Envelope
from ingest.wire.owntracks import MAX_BATCH_BYTES

# The last one is no door of ours: carriers answer in it.
FORMATS = (*BY_NAME, "mlp")


@click.command(cls=OneLineCommand)
@click.argument("format_name", metavar="FORMAT", type=click.Choice(FORMATS))
@click.option("--topic", help="Topic it came on; gives `device`. owntracks/USER/DEVICE and such.")
@click.option("--secret", help="Secret of OwnTracks payload encryption.")
def decode(format_name: str, topic: str | None, secret: str | None) -> None:
    """Decode one message from standard input to JSON.

    For osmand the input is path and query of the request, a form, or a JSON body; for
    network-survey a record or an array of records, of which those of one scan make one fix;
    for mlp the answer of a carrier, whose refusals are rejected by what they mean.

    Answers a list of fixes and events, or {"rejected": REASON, "detail": …}; of an array
    each member that cannot be stored is such an object in its place. Times are UTC,
    positions WGS-84 degrees, speeds m/s, signals dBm; what is unknown is null, never 0. A
    message with cells and no position is a fix whose lon and lat are null. Without --topic
    `device` is what the payload claims, null for owntracks. Times are not compared with
    this machine's clock.
    """
    payload = sys.stdin.buffer.read(MAX_BATCH_BYTES + 1).rstrip(b"\r\n")
    if format_name in BY_NAME:
        answer = _decode(format_name, payload, topic, secret)
    else:
        answer = _answer_of_carrier(payload)
    click.echo(json.dumps(answer, ensure_ascii=False, separators=(", ", ": ")))


def _decode(
    format_name: str, payload: bytes, topic: str | None, secret: str | None
) -> dict[str, Any] | list[dict[str, Any]]:
    known = BY_NAME[format_name]
    device = None
    if topic is not None:
        parsed = parse_topic(topic)
        if isinstance(parsed, Rejection):
            return _rejected(parsed)
        if parsed.root != known.root:
            return _rejected(Rejection(Reason.TOPIC, f"not a topic of {format_name}"))
        device = parsed.username
    results = decode_safely(known, payload, Envelope(username=device, secret=secret))
    only = results[0] if len(results) == 1 else None
    if isinstance(only, Rejection) and not (only.raw and payload.lstrip().startswith(b"[")):
        return _rejected(only)
    return [
        _rejected(result) if isinstance(result, Rejection) else _shown(result, device)
        for result in results
        if not isinstance(result, Ignored)
    ]


def _answer_of_carrier(document: bytes) -> dict[str, Any] | list[dict[str, Any]]:
    results = [
        {"rejected": entry.reason, "detail": entry.detail, "device": entry.device}
        if isinstance(entry, mlp.Refused)
        else _shown(entry, None)
        for entry in mlp.decode(document)
    ]
    if len(results) == 1 and "rejected" in results[0]:
        return {name: results[0][name] for name in ("rejected", "detail")}
    return results


def _rejected(rejection: Rejection) -> dict[str, Any]:
    return {"rejected": rejection.reason.value, "detail": rejection.detail}


def _shown(result: Decoded, device: str | None) -> dict[str, Any]:
    if isinstance(result, DeviceEvent):
        return {
            "type": "event",
            "kind": result.kind.value,
            "device": device,
            "at": _time(result.at_s),
            **result.body,
        }
    assert isinstance(result, (WireFix, RadioScan))
    fix = result if isinstance(result, WireFix) else None
    source = None if fix is None else fix.source.value
    return {
        "type": "fix",
        "device": device or result.claimed,
        "fixed_at": _time(result.fixed_s),
        "lon": None if fix is None else fix.lon_deg,
        "lat": None if fix is None else fix.lat_deg,
        "accuracy_m": None if fix is None else _float(fix.accuracy_m),
        "speed_mps": None if fix is None else _float(fix.speed_mps),
        "course_deg": None if fix is None else _float(fix.course_deg),
        "altitude_m": None if fix is None else _float(fix.altitude_m),
        "battery_pct": result.battery_pct,
        "mock": result.mock,
        "source": source,
        "trigger": result.trigger,
        "sent_at": _time(result.sent_s),
        "charging": result.charging,
        "connection": result.connection,
        "flags": list(QualityFlag(result.flags).names()),
        "cells": [_cell(cell) for cell in result.cells],
        "wifi": [_cell(point) for point in result.wifi],
        "dropped": list(result.dropped),
        **(result.extras or {}),
    }


def _float(value: float | None) -> float | None:
    """Return a measure with its point: phones write whole numbers, the type is float."""
    return None if value is None else float(value)


_ONLY_IF_KNOWN = frozenset({"unit", "age_s"})


def _cell(cell: Cell | AccessPoint) -> dict[str, Any]:
    values = {name: getattr(cell, name) for name in cell.__struct_fields__}
    return {n: v for n, v in values.items() if v is not None or n not in _ONLY_IF_KNOWN}


def _time(epoch_s: float | None) -> str | None:
    if epoch_s is None or not math.isfinite(epoch_s):
        return None
    return format_utc(from_epoch_s(epoch_s))


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
