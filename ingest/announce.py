"""Newest positions to the live map, beside the way to the database.

A thread of its own: Redis may be slow or gone, and no acknowledgement waits for it. What
cannot be announced in time is overtaken by newer positions of the same people.
"""

import threading
from uuid import UUID

from redis import Redis

from geo.fix import NOT_EVIDENCE, from_epoch_s
from server.tracking.live import LiveEvent, LivePublisher, position_event
from server.tracking.records import Batch, FixRecord

_PERIOD_S = 0.05
_RETRY_S = 1.0

Person = tuple[int, UUID]


class Announcer(threading.Thread):
    """Keeps the newest credible fix of each person until it is published."""

    def __init__(self, redis: Redis) -> None:
        super().__init__(name="ingest-announcer", daemon=True)
        self._publisher = LivePublisher(redis)
        self._lock = threading.Lock()
        self._pending: dict[Person, FixRecord] = {}
        self._newest: dict[Person, tuple[float, int]] = {}
        self._wake = threading.Event()
        self._stopped = False

    def announce(self, batch: Batch) -> None:
        """Take the fixes of a committed batch; old ones and doubtful ones are left out."""
        not_evidence = int(NOT_EVIDENCE)
        found = False
        with self._lock:
            for record in batch.fixes:
                if record.flags & not_evidence:
                    continue
                device = batch.devices[record.device_no]
                person = (device.tenant_id, device.employee_id)
                place = (record.fix.fixed_s, record.fix.key)
                if place > self._newest.get(person, (0.0, 0)):
                    self._newest[person] = place
                    self._pending[person] = record
                    found = True
        if found:
            self._wake.set()

    def stop(self) -> None:
        """Publish what is left and end."""
        self._stopped = True
        self._wake.set()
        self.join(3)

    def run(self) -> None:
        """Publish until stopped."""
        pause = threading.Event()
        while not self._stopped:
            self._wake.wait()
            self._wake.clear()
            with self._lock:
                pending, self._pending = self._pending, {}
            events = [_event(person, record) for person, record in pending.items()]
            if events and not self._publisher.publish(events):
                with self._lock:
                    self._pending = pending | self._pending
                self._wake.set()
                pause.wait(_RETRY_S)
            else:
                pause.wait(_PERIOD_S)


def _event(person: Person, record: FixRecord) -> LiveEvent:
    fix = record.fix
    return position_event(
        tenant_id=person[0],
        employee_id=person[1],
        lon_deg=fix.lon_deg,
        lat_deg=fix.lat_deg,
        accuracy_m=fix.accuracy_m,
        fixed_at=from_epoch_s(fix.fixed_s),
        speed_mps=fix.speed_mps,
        course_deg=fix.course_deg,
        battery_pct=fix.battery_pct,
        source=fix.source.value,
    )
