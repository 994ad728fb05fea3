"""Newest positions to the live map, beside the way to the database.

A thread of its own: Redis may be slow or gone, and no acknowledgement waits for it. What
cannot be announced in time is overtaken by newer positions of the same people.
"""

import threading
from uuid import UUID

from redis import Redis

from geo.fix import from_epoch_s
from ingest.intake import Taken
from server.tracking.live import LiveEvent, LivePublisher, position_event
from server.tracking.records import DeviceRef, FixRecord

_PERIOD_S = 0.05
_RETRY_S = 1.0

Person = tuple[int, UUID]


class Announcer(threading.Thread):
    """Keeps the newest position of each person until it is published."""

    def __init__(self, redis: Redis) -> None:
        super().__init__(name="ingest-announcer", daemon=True)
        self._publisher = LivePublisher(redis)
        self._lock = threading.Lock()
        self._pending: dict[Person, LiveEvent] = {}
        self._wake = threading.Event()
        self._stopped = threading.Event()

    def announce(self, taken: Taken) -> None:
        """Take the positions of a committed batch that are somebody's newest."""
        events = live_events(taken)
        if events:
            with self._lock:
                self._pending |= events
            self._wake.set()

    def stop(self) -> None:
        """Publish what is left and end."""
        self._stopped.set()
        self._wake.set()
        self.join(3)

    def run(self) -> None:
        """Publish until stopped."""
        while True:
            self._wake.wait()
            self._wake.clear()
            with self._lock:
                pending, self._pending = self._pending, {}
            shown = not pending or self._publisher.publish(pending.values())
            if self._stopped.is_set():
                return
            if not shown:
                with self._lock:
                    self._pending = pending | self._pending
                self._wake.set()
            self._stopped.wait(_PERIOD_S if shown else _RETRY_S)


def live_events(taken: Taken) -> dict[Person, LiveEvent]:
    """Return the events a committed batch makes on the live map, one a person."""
    found = {}
    for record in taken.recorded.moved:
        device = taken.batch.devices[record.device_no]
        found[device.tenant_id, device.employee_id] = _event(device, record)
    return found


def _event(device: DeviceRef, record: FixRecord) -> LiveEvent:
    fix = record.fix
    return position_event(
        tenant_id=device.tenant_id,
        employee_id=device.employee_id,
        lon_deg=fix.lon_deg,
        lat_deg=fix.lat_deg,
        accuracy_m=fix.accuracy_m,
        fixed_at=from_epoch_s(fix.fixed_s),
        speed_mps=fix.speed_mps,
        course_deg=fix.course_deg,
        battery_pct=fix.battery_pct,
        source=fix.source.value,
    )
