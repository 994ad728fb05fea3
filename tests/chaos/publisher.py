"""Phones that publish at a steady rate and remember what the broker acknowledged."""

import json
import random
import threading
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from ingest.wire.owntracks import key_of
from tests.factories.crew import Phone

_TURN_S = 0.02


@dataclass(slots=True)
class Sent:
    """What one phone sent: times of fixes and keys of poison, and which were acknowledged."""

    fixes: set[int] = field(default_factory=set)
    poison: set[int] = field(default_factory=set)
    acked_fixes: set[int] = field(default_factory=set)
    acked_poison: set[int] = field(default_factory=set)


class _Sender:
    """One phone's connection; keeps and resends what is not acknowledged."""

    def __init__(self, phone: Phone, port: int) -> None:
        self.phone = phone
        self.sent = Sent()
        # paho may tell of an acknowledgement before publish() has returned the id.
        self._lock = threading.Lock()
        self._pending: dict[int, tuple[bool, int]] = {}
        self._early: set[int] = set()
        self._client = Client(
            CallbackAPIVersion.VERSION2, client_id=phone.username, clean_session=False
        )
        self._client.username_pw_set(phone.username, phone.secret)
        self._client.reconnect_delay_set(1, 1)
        self._client.max_inflight_messages_set(100)
        self._client.on_publish = lambda _c, _u, mid, _r, _p: self._acknowledged(mid)
        self._client.connect("127.0.0.1", port, keepalive=20)
        self._client.loop_start()

    @property
    def open(self) -> int:
        """Messages without an acknowledgement yet."""
        with self._lock:
            return len(self._pending)

    def send(self, payload: bytes, *, fix_s: int | None) -> None:
        what = (fix_s is not None, key_of(payload) if fix_s is None else fix_s)
        (self.sent.fixes if what[0] else self.sent.poison).add(what[1])
        mid = self._client.publish(self.phone.topic, payload, qos=1).mid
        with self._lock:
            if mid in self._early:
                self._early.discard(mid)
                self._note(what)
            else:
                self._pending[mid] = what

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _acknowledged(self, mid: int) -> None:
        with self._lock:
            what = self._pending.pop(mid, None)
            if what is None:
                self._early.add(mid)
            else:
                self._note(what)

    def _note(self, what: tuple[bool, int]) -> None:
        (self.sent.acked_fixes if what[0] else self.sent.acked_poison).add(what[1])


class Publisher:
    """Phones publishing together `rate` messages a second, a share of them poison.

    Parameters
    ----------
    phones : on duty for the ten hours before now; every fix has a second of its own there.
    port : of the broker's door for phones.
    """

    def __init__(
        self, phones: list[Phone], port: int, *, rate: float = 500.0, poison: float = 0.01
    ) -> None:
        self._senders = [_Sender(phone, port) for phone in phones]
        self._rate = rate
        self._poison = poison
        self._stop = threading.Event()
        self._first_s = int(time.time()) - 9 * 3600
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        for sender in self._senders:
            sender.close()

    @property
    def sent(self) -> dict[Phone, Sent]:
        """Everything sent so far, by phone."""
        return {sender.phone: sender.sent for sender in self._senders}

    @property
    def open(self) -> int:
        """Messages without an acknowledgement yet."""
        return sum(sender.open for sender in self._senders)

    def stop(self) -> None:
        """Stop sending; connections stay, so that what is open can still be acknowledged."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        chance = random.Random(7)
        began, number = time.monotonic(), 0
        while not self._stop.wait(_TURN_S):
            due = int((time.monotonic() - began) * self._rate)
            while number < due:
                sender = self._senders[number % len(self._senders)]
                second = self._first_s + number // len(self._senders)
                if chance.random() < self._poison:
                    sender.send(f'{{"_type":"location","no":{number},'.encode(), fix_s=None)
                else:
                    sender.send(_fix(second, number), fix_s=second)
                number += 1


def _fix(second: int, number: int) -> bytes:
    fix = {"_type": "location", "tst": second, "acc": 10, "batt": 66, "vel": 4}
    fix |= {"lat": 31.2 + number % 1000 * 1e-5, "lon": 121.4}
    return json.dumps(fix).encode()
