"""Doubts about arriving fixes, found on the whole batch at once."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from geo.fix import Source
from geo.policy import QualityPolicy
from geo.quality import flag_columns
from server.tracking.columns import FIX_ROW, SOURCE_CODES, FixTable, last_of_each
from server.tracking.records import DeviceRef

_MAX_DEVICES = 200_000
_GPS = SOURCE_CODES[Source.GPS]


class Flagger:
    """Flags batches, remembering the newest fix of each device for comparison."""

    def __init__(self, policy: QualityPolicy) -> None:
        self._policy = policy
        self._newest: dict[DeviceRef, tuple[Any, ...]] = {}

    def flag(self, fixes: FixTable, devices: Sequence[DeviceRef]) -> None:
        """Set the flags that time, place and neighbours give to fixes.

        Parameters
        ----------
        fixes : one batch, any order; its flags are changed.
        devices : owners, by `device_no`.
        """
        if not len(fixes):
            return
        numbers = np.unique(fixes.rows["device_no"]).tolist()
        known = [(no, self._newest.get(devices[no])) for no in numbers]
        earlier = np.array([row for _, row in known if row is not None], dtype=FIX_ROW)
        earlier["device_no"] = [no for no, row in known if row is not None]
        rows = np.concatenate([fixes.rows, earlier])
        found = flag_columns(
            epoch_s=rows["fixed_s"],
            received_s=rows["received_s"],
            lon_deg=rows["lon_deg"],
            lat_deg=rows["lat_deg"],
            accuracy_m=rows["accuracy_m"],
            is_gps=rows["source"] == _GPS,
            flags=rows["flags"].astype(np.int64),
            owner_no=rows["device_no"].astype(np.int64),
            keys=rows["key"],
            policy=self._policy,
        )
        fixes.rows["flags"] = found[: len(fixes)]

    def remember(self, fixes: FixTable, devices: Sequence[DeviceRef]) -> None:
        """Note the fixes of a committed batch, to compare the next one with."""
        if len(self._newest) > _MAX_DEVICES:
            self._newest.clear()
        rows = fixes.rows
        last = rows[last_of_each(rows["device_no"], rows["fixed_s"])]
        for row in last.tolist():
            device = devices[row[_DEVICE_NO]]
            before = self._newest.get(device)
            if before is None or before[_FIXED_S] < row[_FIXED_S]:
                self._newest[device] = row


_NAMES = FIX_ROW.names or ()
_DEVICE_NO, _FIXED_S = _NAMES.index("device_no"), _NAMES.index("fixed_s")
