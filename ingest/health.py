"""Proof of life: a canary through broker and commit, not a flag that says "connected"."""

import json
import logging
import math
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from paho.mqtt.enums import MQTTErrorCode
from sqlalchemy.orm import Session

from ingest.handover import Handover
from ingest.subscriber import Subscriber
from ingest.topics import CANARY
from server.tracking.health import note_heartbeat

CANARY_PERIOD_S = 10.0
STATUS_PERIOD_S = 1.0
STATUS_FILE = "ingest.status.json"

log = logging.getLogger(__name__)


class Pulse:
    """What the writer knows of its own health; written by it, read by the reporter."""

    def __init__(self, handover: Handover, *, clock: Callable[[], float] = time.time) -> None:
        self._handover = handover
        self._clock = clock
        self._canary_sent_s: float | None = None
        self._dropped: int | None = None
        self._committed_at: float | None = None
        self._lag_s: float | None = None
        self._refused: str | None = None

    @property
    def is_due(self) -> bool:
        """Whether a canary has arrived that no commit has carried yet."""
        return self._canary_sent_s is not None

    def canary(self, payload: bytes, received_s: float) -> None:
        """Take a canary in; anything but a time of sending is not ours."""
        try:
            sent_s = float(payload)
        except ValueError:
            return
        if math.isfinite(sent_s) and sent_s <= received_s + 1.0:
            self._canary_sent_s = sent_s

    def dropped(self, payload: bytes) -> None:
        """Note what the broker says it had to drop."""
        if payload.isdigit():
            self._dropped = int(payload)

    def write(self, session: Session) -> None:
        """Let a transaction carry the canary."""
        if self._canary_sent_s is not None:
            self._lag_s = max(0.0, self._clock() - self._canary_sent_s)
            note_heartbeat(
                session,
                lag_s=self._lag_s,
                waiting=self._handover.waiting,
                broker_dropped=self._dropped,
            )

    def committed(self) -> None:
        """Note a commit."""
        self._canary_sent_s = None
        self._refused = None
        self._committed_at = time.monotonic()

    def refused(self, state: str) -> None:
        """Note that the database refused, with its SQLSTATE."""
        self._refused = state

    def status(self) -> dict[str, Any]:
        """Return the state as JSON; ages in seconds, None for never."""
        committed_at = self._committed_at
        return {
            "commit_age_s": None if committed_at is None else time.monotonic() - committed_at,
            "lag_s": self._lag_s,
            "waiting": self._handover.waiting,
            "broker_dropped": self._dropped,
            "refused": self._refused,
        }


class Reporter(threading.Thread):
    """Sends canaries through the broker and writes the status file.

    Parameters
    ----------
    path : status file, replaced as a whole; `at` in it is epoch seconds.
    """

    def __init__(self, subscriber: Subscriber, pulse: Pulse, path: Path) -> None:
        super().__init__(name="ingest-reporter", daemon=True)
        self._subscriber = subscriber
        self._pulse = pulse
        self._path = path
        self._stopped = threading.Event()

    def stop(self) -> None:
        """End the thread and remove the file."""
        self._stopped.set()
        self.join(5)
        self._path.unlink(missing_ok=True)

    def run(self) -> None:
        """Report until stopped."""
        next_canary = 0.0
        while not self._stopped.wait(STATUS_PERIOD_S):
            if time.monotonic() >= next_canary and self._subscriber.is_connected():
                sent = self._subscriber.publish(CANARY, f"{time.time():.6f}", qos=0)
                if sent.rc == MQTTErrorCode.MQTT_ERR_SUCCESS:
                    next_canary = time.monotonic() + CANARY_PERIOD_S
            try:
                self._report()
            except OSError as error:
                log.warning("status file cannot be written: %s", error)

    def _report(self) -> None:
        status = {
            "at": time.time(),
            "pid": os.getpid(),
            "connected": self._subscriber.is_connected(),
            **self._pulse.status(),
        }
        draft = self._path.with_suffix(".new")
        draft.write_text(json.dumps(status), encoding="utf-8")
        draft.replace(self._path)
