"""Newest positions to the live map, beside the way to the database.

A thread of its own: Redis may be slow or gone, and no acknowledgement waits for it. What
cannot be announced in time is overtaken by newer positions of the same people.

Stored is more than shown: fixes in the grace around a shift, and those of a backlog that
arrives when the shift is over, are kept for the day's record and appear on no live map.
"""

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from redis import Redis

from geo.fix import from_epoch_s
from ingest.intake import Taken
from server.tracking.live import LiveEvent, LivePublisher, position_event
from server.tracking.records import DeviceRef, FixRecord

_PERIOD_S = 0.05
_RETRY_S = 1.0

Person = bytes
"""Tenant and employee, as `DeviceRef.packed` begins."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A position for the live map, which may be shown while its duty lasts, and whose it is."""

    device: DeviceRef
    record: FixRecord


class Announcer(threading.Thread):
    """Keeps the newest position of each person until it is published.

    Parameters
    ----------
    redis : of this thread alone.
    tenants : whose readers are told to start over first: what was committed before the last
        process died may never have been announced.
    clock : epoch seconds.
    """

    def __init__(
        self, redis: Redis, *, tenants: Iterable[int] = (), clock: Callable[[], float] = time.time
    ) -> None:
        super().__init__(name="ingest-announcer", daemon=True)
        self._publisher = LivePublisher(redis)
        self._tenants = tuple(tenants)
        self._clock = clock
        self._lock = threading.Lock()
        self._pending: dict[Person, Shown] = {}
        self._wake = threading.Event()
        self._stopped = threading.Event()

    def announce(self, taken: Taken) -> None:
        """Take the positions of a committed batch that are somebody's newest."""
        shown = shown_positions(taken)
        if shown:
            with self._lock:
                self._pending |= shown
            self._wake.set()

    def stop(self) -> None:
        """Publish what is left and end."""
        self._stopped.set()
        self._wake.set()
        self.join(3)

    def run(self) -> None:
        """Publish until stopped."""
        self._publisher.reset(self._tenants)
        while True:
            self._wake.wait()
            self._wake.clear()
            with self._lock:
                pending, self._pending = self._pending, {}
            shown = not pending or self._publisher.publish(live_events(pending, self._clock()))
            if self._stopped.is_set():
                return
            if not shown:
                with self._lock:
                    self._pending = pending | self._pending
                self._wake.set()
            self._stopped.wait(_PERIOD_S if shown else _RETRY_S)


def shown_positions(taken: Taken) -> dict[Person, Shown]:
    """Return the positions a committed batch adds to the live map, one a person."""
    found = {}
    for record in taken.recorded.moved:
        slot = record.slot
        if slot.starts_s <= record.fix.fixed_s < slot.ends_s:
            device = taken.batch.devices[record.device_no]
            found[device.packed[:20]] = Shown(device, record)
    return found


def live_events(shown: Mapping[Person, Shown], now_s: float) -> list[LiveEvent]:
    """Return the events of those whose shift is not over."""
    return [
        _event(one.device, one.record) for one in shown.values() if now_s < one.record.slot.ends_s
    ]


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
