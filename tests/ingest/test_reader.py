"""What is read ahead, and what is left to be looked at alone."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ingest.attempts import Attempts
from ingest.handover import Handover, Parcel
from ingest.health import Pulse
from ingest.intake import Message
from ingest.reader import Reader
from ingest.subscriber import DROPPED_TOPIC, Subscriber
from ingest.topics import CANARY

Run = Callable[..., list[Parcel]]


def fix(phone: str = "phone-000001", **changes: Any) -> Message:
    now_s = time.time()
    body = {"_type": "location", "lat": 31.2, "lon": 121.5, "tst": int(now_s) - 5, "acc": 9}
    return Message(f"owntracks/{phone}/p".encode(), json.dumps(body | changes).encode(), now_s)


@pytest.fixture
def pulse() -> Pulse:
    return Pulse(Handover())


@pytest.fixture
def run(tmp_path: Path, pulse: Pulse) -> Iterator[Run]:
    opened: list[Attempts] = []

    def run_reader(*parcels: Parcel, died_with: list[Message] | None = None) -> list[Parcel]:
        if died_with is not None:
            opened.append(Attempts(tmp_path / "suspects"))
            opened[0].begin(died_with)
        opened.append(Attempts(tmp_path / "suspects"))
        raw, ready = Handover(), Handover()
        for parcel in parcels:
            raw.put(parcel)
        raw.close()
        reader = Reader(
            raw,
            ready,
            subscriber=Subscriber(raw, username="ingest", password="-"),
            pulse=pulse,
            attempts=Attempts(tmp_path / "ahead"),
            suspects=opened[-1],
        )
        reader.start()
        reader.join(30)
        assert not reader.is_alive()
        return ready.take(limit=10_000, linger_s=0, timeout_s=0)

    yield run_reader
    for attempts in opened:
        attempts.close()


def test_parcels_of_a_connection_become_one_with_its_plain_positions(run: Run) -> None:
    odd = fix(lat="north")
    first, second = Parcel(1, [fix(), odd], [5, 6]), Parcel(1, [fix(lat=30.0)], [7])
    other = Parcel(2, [fix()], [5])
    joined, later = run(first, second, other)
    assert (joined.generation, joined.packet_ids) == (1, [5, 6, 7])
    assert joined.messages == [*first.messages, *second.messages]
    assert joined.plain is not None
    assert joined.plain.message_no.tolist() == [0, 2]
    assert joined.plain.rows["lat_deg"].tolist() == [31.2, 30.0]
    assert (later.generation, later.packet_ids) == (2, [5])


def test_what_the_broker_says_goes_to_the_pulse_alone(run: Run, pulse: Pulse) -> None:
    now_s = time.time()
    said = [
        Message(CANARY.encode(), f"{now_s - 1:.6f}".encode(), now_s),
        Message(DROPPED_TOPIC.encode(), b"3", now_s),
    ]
    (parcel,) = run(Parcel(1, said, [0, 0]))
    assert (parcel.messages, parcel.packet_ids, parcel.plain) == ([], [], None)
    assert pulse.is_due
    assert pulse.status()["broker_dropped"] == 3


def test_nothing_is_read_ahead_beside_a_suspect(run: Run) -> None:
    suspect, others = fix(lat=1.0), [fix(lat=2.0), fix(lat=3.0)]
    (parcel,) = run(Parcel(1, [suspect, *others], [1, 2, 3]), died_with=[suspect])
    assert parcel.plain is None


def test_others_are_read_ahead_while_a_suspect_is_awaited(run: Run) -> None:
    (parcel,) = run(Parcel(1, [fix(lat=2.0)], [1]), died_with=[fix(lat=1.0)])
    assert parcel.plain is not None
