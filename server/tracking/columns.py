"""Fixes of one batch as columns: thousands are checked, packed and counted at once."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import msgspec
import numpy as np
import numpy.typing as npt

from geo.fix import SOURCES, IntArray, Source
from server.tracking.models import Via
from server.tracking.records import DeviceRef, DutySlot, FixRecord

VIAS: Final = tuple(Via)
VIA_CODES: Final = {via: code for code, via in enumerate(VIAS, start=1)}
SOURCE_CODES: Final = {source: code for code, source in enumerate(SOURCES, start=1)}
_TRUTH_CODES: Final = {None: -1, False: 0, True: 1}
_TRUTHS: Final = {-1: None, 0: False, 1: True}

FIX_ROW: Final = np.dtype(
    [
        ("device_no", "i4"),
        ("slot_no", "i4"),
        ("fixed_s", "f8"),
        ("key", "i8"),
        ("received_s", "f8"),
        ("sent_s", "f8"),
        ("lon_deg", "f8"),
        ("lat_deg", "f8"),
        ("accuracy_m", "f8"),
        ("altitude_m", "f8"),
        ("speed_mps", "f8"),
        ("course_deg", "f8"),
        ("battery_pct", "i2"),
        ("source", "i2"),
        ("trigger", "i2"),
        ("mock", "i2"),
        ("flags", "i4"),
        ("via", "i2"),
        ("charging", "i2"),
        ("connection", "S12"),
        ("mode", "S12"),
    ]
)
"""One fix. Unknown is NaN in floats, -1 in `battery_pct`, `mock` and `charging`, 0 in
`trigger` (a code point) and empty in text; `source` and `via` count from 1."""


OWNER: Final = np.dtype([("tenant_id", ">i4"), ("employee_id", "V16"), ("device_id", "V16")])
"""One device, see `DeviceRef.packed`."""


@dataclass(frozen=True, slots=True, eq=False)
class Owners:
    """Devices of a batch as columns, in the order of `Batch.devices`.

    Attributes
    ----------
    rows : ``(n,)`` of `OWNER`.
    person_no : ``(n,)``; people are numbered by tenant and identifier. Whoever writes rows of
        people or devices does so in one order, so that writers never deadlock.
    rank : ``(n,)`` place of each device when sorted by tenant and identifier.
    """

    rows: npt.NDArray[np.void]
    person_no: IntArray
    rank: IntArray

    @classmethod
    def of(cls, devices: Sequence[DeviceRef]) -> Self:
        """Return columns of devices. About 1 µs each."""
        packed = [device.packed for device in devices]
        people = np.array([one[:20] for one in packed], dtype="S20")
        identifiers = np.array([one[:4] + one[20:] for one in packed], dtype="S20")
        return cls(
            np.frombuffer(b"".join(packed), dtype=OWNER),
            np.unique(people, return_inverse=True)[1],
            np.argsort(np.argsort(identifiers)),
        )


class _Row(msgspec.Struct, frozen=True, gc=False):
    """A fix taken out of a table again; see `server.tracking.records.Measured`."""

    fixed_s: float
    sent_s: float | None
    lon_deg: float
    lat_deg: float
    key: int
    raw: bytes
    accuracy_m: float | None
    altitude_m: float | None
    speed_mps: float | None
    course_deg: float | None
    battery_pct: int | None
    source: Source
    trigger: str | None
    mock: bool | None
    charging: bool | None
    connection: str | None
    mode: str | None


@dataclass(slots=True, eq=False)
class FixTable:
    """Fixes as columns.

    Attributes
    ----------
    rows : ``(n,)`` of `FIX_ROW`, any order.
    raw : ``(n,)`` messages as they came.
    slots : duties; `slot_no` indexes them.
    """

    rows: npt.NDArray[np.void]
    raw: npt.NDArray[np.object_]
    slots: list[DutySlot]

    def __len__(self) -> int:
        return len(self.rows)

    @classmethod
    def of(cls, records: Sequence[FixRecord]) -> Self:
        """Return records as a table. About 5 µs each; `FixRecord` has the other fields."""
        numbers: dict[DutySlot, int] = {}
        rows = [_row_of(record, numbers) for record in records]
        return cls(
            np.array(rows, dtype=FIX_ROW),
            objects([record.fix.raw for record in records]),
            list(numbers),
        )

    @classmethod
    def joined(cls, tables: Iterable[Self]) -> Self:
        """Return several tables of one batch as one."""
        listed = [table for table in tables if len(table)]
        if len(listed) == 1:
            return listed[0]
        rows = [np.empty(0, dtype=FIX_ROW)]
        slots: list[DutySlot] = []
        for table in listed:
            part = table.rows.copy()
            part["slot_no"] += len(slots)
            slots += table.slots
            rows.append(part)
        raw = [objects([]), *(table.raw for table in listed)]
        return cls(np.concatenate(rows), np.concatenate(raw), slots)

    def only(self, chosen: npt.NDArray[Any]) -> "FixTable":
        """Return the rows of a mask or of indexes, in their order."""
        return FixTable(self.rows[chosen], self.raw[chosen], self.slots)

    def records(self, chosen: IntArray) -> list[FixRecord]:
        """Return rows as records again. About 2 µs each."""
        found = []
        raw = self.raw[chosen].tolist()
        for message, row in zip(raw, self.rows[chosen].tolist(), strict=True):
            (no, slot_no, fixed_s, key, received_s, sent_s, lon, lat, accuracy, altitude, speed,
             course, battery, source, trigger, mock, flags, via, charging, connection,
             mode) = row  # fmt: skip
            fix = _Row(
                fixed_s=fixed_s,
                sent_s=_known(sent_s),
                lon_deg=lon,
                lat_deg=lat,
                key=key,
                raw=message,
                accuracy_m=_known(accuracy),
                altitude_m=_known(altitude),
                speed_mps=_known(speed),
                course_deg=_known(course),
                battery_pct=None if battery < 0 else battery,
                source=SOURCES[source - 1],
                trigger=chr(trigger) if trigger else None,
                mock=_TRUTHS[mock],
                charging=_TRUTHS[charging],
                connection=connection.decode() or None,
                mode=mode.decode() or None,
            )
            slot = self.slots[slot_no]
            found.append(FixRecord(no, fix, received_s, flags, slot, VIAS[via - 1]))
        return found


def objects(values: Sequence[object]) -> npt.NDArray[np.object_]:
    """Return ``(n,)`` Python objects as numpy indexes them."""
    found = np.empty(len(values), dtype=object)
    found[:] = values
    return found


def last_of_each(owner_no: IntArray, *order: npt.NDArray[Any]) -> IntArray:
    """Return the index of the last row of each owner, by ascending owner.

    Parameters
    ----------
    owner_no : ``(n,)``.
    order : ``(n,)`` columns that decide what is last, the most important first.
    """
    by_owner: IntArray = np.lexsort((*reversed(order), owner_no))
    owners = owner_no[by_owner]
    is_last = np.ones(len(owners), dtype=bool)
    is_last[:-1] = owners[1:] != owners[:-1]
    return by_owner[is_last]


def _row_of(record: FixRecord, numbers: dict[DutySlot, int]) -> tuple[object, ...]:
    fix = record.fix
    return (
        record.device_no,
        numbers.setdefault(record.slot, len(numbers)),
        fix.fixed_s,
        fix.key,
        record.received_s,
        _number(fix.sent_s),
        fix.lon_deg,
        fix.lat_deg,
        _number(fix.accuracy_m),
        _number(fix.altitude_m),
        _number(fix.speed_mps),
        _number(fix.course_deg),
        -1 if fix.battery_pct is None else fix.battery_pct,
        SOURCE_CODES[fix.source],
        0 if fix.trigger is None else ord(fix.trigger),
        _TRUTH_CODES[fix.mock],
        record.flags,
        VIA_CODES[record.via],
        _TRUTH_CODES[fix.charging],
        (fix.connection or "").encode(),
        (fix.mode or "").encode(),
    )


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value
