"""Counts of a batch by device, day of receipt and outcome: the proof that nothing vanished."""

from collections import Counter
from typing import Any, Final
from uuid import UUID

import numpy as np
import numpy.typing as npt

from geo.fix import EPOCH, IntArray
from server.db.binary import pack, uuids
from server.tracking.records import DeviceRef
from server.tracking.store import Counts

OUTCOMES: Final = ("stored", "duplicate", "quarantined", "off_duty", "ignored")

_DAY_S = 86_400.0
_EPOCH_ORDINAL = EPOCH.toordinal()
_Key = tuple[int, int]
_Owner = tuple[int, UUID]


class Ledger:
    """Outcomes by device and UTC day of receipt.

    Parameters
    ----------
    devices : owners of the batch; everything else refers to them by position.
    """

    def __init__(self, devices: list[DeviceRef]) -> None:
        self._devices = devices
        self._rows: dict[_Key, Counter[str]] = {}
        self._numbers: dict[_Owner, int] = {}

    def received(self, device_no: IntArray, received_s: npt.NDArray[np.float64]) -> None:
        """Count ``(n,)`` records that are stored or duplicates; `stored` tells how many are new."""
        days = (received_s // _DAY_S).astype(np.int64)
        pairs, counts = np.unique(
            np.stack([device_no.astype(np.int64), days]), axis=1, return_counts=True
        )
        for no, day, count in zip(*pairs.tolist(), counts.tolist(), strict=True):
            row = self._row(no, day)
            row["received"] += count
            row["duplicate"] += count

    def stored(self, counts: Counts) -> None:
        """Take what was new out of the duplicates."""
        if counts and not self._numbers:
            self._numbers = {(d.tenant_id, d.device_id): no for no, d in enumerate(self._devices)}
        for (tenant_id, device_id, on), count in counts.items():
            row = self._row(self._numbers[tenant_id, device_id], on.toordinal() - _EPOCH_ORDINAL)
            row["stored"] += count
            row["duplicate"] -= count

    def count(self, device_no: int, received_s: float, outcome: str, count: int = 1) -> None:
        """Count records whose outcome is known."""
        row = self._row(device_no, int(received_s // _DAY_S))
        row["received"] += count
        row[outcome] += count

    def total(self, name: str) -> int:
        """Return the sum of one outcome, or of `received`."""
        return sum(row[name] for row in self._rows.values())

    def columns(self) -> dict[str, Any]:
        """Return the rows as array parameters, ordered so that two writers never deadlock."""
        owners = self._devices
        keys = sorted(
            self._rows, key=lambda key: (owners[key[0]].tenant_id, owners[key[0]].order, key[1])
        )
        columns: dict[str, Any] = {
            "tenant_id": pack("int4", [owners[no].tenant_id for no, _ in keys]),
            "device_id": pack("uuid", uuids([owners[no].device_id for no, _ in keys])),
            "received_on": pack("date", [_EPOCH_ORDINAL + day for _, day in keys]),
        }
        for name in ("received", *OUTCOMES):
            columns[name] = pack("int8", [self._rows[key][name] for key in keys])
        return columns

    def _row(self, device_no: int, day: int) -> Counter[str]:
        return self._rows.setdefault((device_no, day), Counter())
