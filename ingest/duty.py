"""The duty gate: who may be located when, in memory, never staler than the transaction.

A tenant's duty version is read first in every writing transaction. Windows cached under
another version are thrown away and read again in that same transaction, so a cache can be
late but what is stored cannot be wrong.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

import numpy as np
from sqlalchemy.orm import Session

from geo.distance import FloatArray
from geo.fix import IntArray, to_epoch_s
from server.posts.queries import duty_version, duty_windows
from server.posts.rules import DutyWindow
from server.tracking.records import DeviceRef, DutySlot

_AROUND_S = 86_400.0
_MAX_DEVICES = 200_000

_Person = tuple[int, UUID]
Span = tuple[float, float]
"""First and last instant asked about, epoch seconds."""


@dataclass(frozen=True, slots=True)
class Timetable:
    """One person's duty in one span of time: `slots[i]` holds from `edges[i]` on."""

    version: int
    span: Span
    edges: list[float] = field(default_factory=list)
    slots: list[DutySlot | None] = field(default_factory=list)

    def slot_at(self, at_s: float) -> DutySlot | None:
        """Return the duty an instant falls into, graces included; None when off duty."""
        index = self.index_at(at_s)
        return self.slots[index] if index >= 0 else None

    def index_at(self, at_s: float) -> int:
        """Return which of `slots` holds at an instant; -1 before all of them."""
        return bisect_right(self.edges, at_s) - 1

    def indexes_at(self, at_s: FloatArray) -> IntArray:
        """Return `index_at` of each of ``(n,)`` instants."""
        return np.searchsorted(self.edges, at_s, side="right") - 1


class DutyIndex:
    """Duty windows of the owners of devices that send, kept while their version holds."""

    def __init__(self) -> None:
        self._timetables: dict[DeviceRef, Timetable] = {}
        self._versions: Mapping[int, int] = {}

    def refresh(self, session: Session, needs: Mapping[DeviceRef, Span]) -> None:
        """Make the index answer for these devices and spans as of this transaction.

        Parameters
        ----------
        session : the transaction that will store what the gate lets through.
        needs : earliest and latest instant asked about, by device.

        Notes
        -----
        The version is read before the windows: windows may be newer than the version they
        are filed under, never older. One statement when nothing changed.
        """
        self._versions = duty_version(session)
        missing = {device: span for device, span in needs.items() if not self._covers(device, span)}
        if not missing:
            return
        if len(self._timetables) > _MAX_DEVICES:
            self._timetables.clear()
        low = min(span[0] for span in missing.values()) - _AROUND_S
        high = max(span[1] for span in missing.values()) + _AROUND_S
        windows: dict[_Person, list[DutyWindow]] = {}
        for window in duty_windows(
            session,
            start_at=_instant(low),
            end_at=_instant(high),
            employee_ids={device.employee_id for device in missing},
        ):
            windows.setdefault((window.tenant_id, window.employee_id), []).append(window)
        for device in missing:
            version = self._versions.get(device.tenant_id, 0)
            listed = windows.get((device.tenant_id, device.employee_id), [])
            self._timetables[device] = _timetable(version, (low, high), listed)

    def timetable(self, device: DeviceRef) -> Timetable:
        """Return the duty behind one of those the last `refresh` was asked about.

        It answers for instants inside the span asked about, in this transaction only.
        """
        return self._timetables[device]

    def _covers(self, device: DeviceRef, span: Span) -> bool:
        known = self._timetables.get(device)
        return (
            known is not None
            and known.version == self._versions.get(device.tenant_id, 0)
            and known.span[0] <= span[0]
            and span[1] < known.span[1]
        )


def _timetable(version: int, span: Span, windows: Iterable[DutyWindow]) -> Timetable:
    listed = [
        (
            to_epoch_s(w.opens_at),
            to_epoch_s(w.closes_at),
            to_epoch_s(w.starts_at),
            to_epoch_s(w.ends_at),
            w,
        )
        for w in windows
    ]
    edges = sorted(
        {
            edge
            for opens, closes, starts, ends, _ in listed
            for edge in (opens, closes, starts, ends)
        }
    )
    slots: list[DutySlot | None] = []
    for edge in edges:
        holding = [row for row in listed if row[0] <= edge < row[1]]
        if not holding:
            slots.append(None)
            continue
        on_duty = [row for row in holding if row[2] <= edge < row[3]]
        _, _, starts, ends, chosen = (on_duty or holding)[0]
        work_on = tuple(sorted({row[4].work_on for row in holding}))
        slots.append(DutySlot(chosen.roster_entry_id, work_on, starts, ends))
    return Timetable(version, span, edges, slots)


def _instant(epoch_s: float) -> datetime:
    earliest, latest = -2_208_988_800.0, 4_102_444_800.0
    bounded = min(max(epoch_s, earliest), latest)
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=bounded)
