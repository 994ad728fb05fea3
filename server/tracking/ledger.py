"""Counts of a batch by device, day of receipt and outcome: the proof that nothing vanished."""

from collections.abc import Sequence
from datetime import date
from typing import Any, Final
from uuid import UUID

import numpy as np
import numpy.typing as npt

from geo.fix import EPOCH, IntArray
from server.db.binary import pack
from server.tracking.columns import Owners
from server.tracking.records import DeviceRef

OUTCOMES: Final = ("stored", "duplicate", "quarantined", "off_duty", "ignored")
Counts = dict[tuple[int, UUID, date], int]
"""New rows by tenant, device and UTC day of receipt."""

_DAY_S: Final = 86_400.0
_EPOCH_ORDINAL: Final = EPOCH.toordinal()
_NUMBERS: Final = {name: no for no, name in enumerate(OUTCOMES)}
_STORED, _DUPLICATE = _NUMBERS["stored"], _NUMBERS["duplicate"]


class Ledger:
    """Outcomes by device and UTC day of receipt.

    Parameters
    ----------
    devices : owners of the batch; everything else refers to them by position.
    owners : the same as columns.
    """

    def __init__(self, devices: Sequence[DeviceRef], owners: Owners) -> None:
        self._devices = devices
        self._owners = owners
        # By day since 1970: one row a device, one column an outcome.
        self._days: dict[int, IntArray] = {}

    def add(self, outcome: str, device_no: IntArray, received_s: npt.NDArray[np.float64]) -> None:
        """Count ``(n,)`` records of one outcome."""
        days = received_s // _DAY_S
        for day in np.unique(days).tolist():
            counts = np.bincount(device_no[days == day], minlength=len(self._devices))
            self._of(int(day))[:, _NUMBERS[outcome]] += counts

    def renew(self, counts: Counts) -> None:
        """Count some of the duplicates as stored after all."""
        numbers = {(d.tenant_id, d.device_id): no for no, d in enumerate(self._devices)}
        for (tenant_id, device_id, on), count in counts.items():
            row = self._of(on.toordinal() - _EPOCH_ORDINAL)[numbers[tenant_id, device_id]]
            row[_STORED] += count
            row[_DUPLICATE] -= count

    def count(self, device_no: int, received_s: float, outcome: str) -> None:
        """Count one record."""
        self._of(int(received_s // _DAY_S))[device_no, _NUMBERS[outcome]] += 1

    def promote(self, device_no: int, received_s: float) -> None:
        """Count a record as stored that was counted as a duplicate: it added something else."""
        day = self._of(int(received_s // _DAY_S))
        day[device_no, _DUPLICATE] -= 1
        day[device_no, _STORED] += 1

    def totals(self) -> dict[str, int]:
        """Return the sum of each outcome, and of all as `received`."""
        sums = sum((day.sum(axis=0) for day in self._days.values()), np.zeros(len(OUTCOMES), int))
        return {"received": int(sums.sum())} | dict(zip(OUTCOMES, sums.tolist(), strict=True))

    def columns(self) -> dict[str, Any]:
        """Return the rows as array parameters, ordered so that two writers never deadlock."""
        days = sorted(self._days)
        counts = np.concatenate([self._days[day] for day in days])
        number = np.tile(np.arange(len(self._devices)), len(days))
        on = np.repeat(np.array(days) + _EPOCH_ORDINAL, len(self._devices))
        order = np.lexsort((on, self._owners.rank[number]))
        order = order[counts[order].any(axis=1)]
        owners = self._owners.rows[number[order]]
        columns: dict[str, Any] = {
            "tenant_id": pack("int4", owners["tenant_id"]),
            "device_id": pack("uuid", owners["device_id"]),
            "received_on": pack("date", on[order]),
            "received": pack("int8", counts[order].sum(axis=1)),
        }
        for name, no in _NUMBERS.items():
            columns[name] = pack("int8", counts[order, no])
        return columns

    def _of(self, day: int) -> IntArray:
        if day not in self._days:
            self._days[day] = np.zeros((len(self._devices), len(OUTCOMES)), dtype=np.int64)
        return self._days[day]
