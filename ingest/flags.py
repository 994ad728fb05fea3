"""Doubts about arriving fixes, found on the whole batch at once."""

from collections.abc import Sequence

import numpy as np

from geo.fix import Source
from geo.policy import QualityPolicy
from geo.quality import flag_columns
from server.tracking.records import DeviceRef, FixRecord

_MAX_DEVICES = 200_000


class Flagger:
    """Flags batches, remembering the newest fix of each device for comparison."""

    def __init__(self, policy: QualityPolicy) -> None:
        self._policy = policy
        self._newest: dict[DeviceRef, FixRecord] = {}

    def flag(self, fixes: Sequence[FixRecord], devices: Sequence[DeviceRef]) -> list[FixRecord]:
        """Return the same fixes with the flags that time, place and neighbours give them.

        Parameters
        ----------
        fixes : one batch, any order.
        devices : owners, by `device_no`.
        """
        if not fixes:
            return []
        numbers = {record.device_no for record in fixes}
        earlier = [(no, self._newest[devices[no]]) for no in numbers if devices[no] in self._newest]
        rows = [*fixes, *(record for _, record in earlier)]
        n = len(fixes)
        owner_no = [record.device_no for record in fixes] + [no for no, _ in earlier]
        wire = [record.fix for record in rows]
        flags = flag_columns(
            epoch_s=np.array([fix.fixed_s for fix in wire]),
            received_s=np.array([record.received_s for record in rows]),
            lon_deg=np.array([fix.lon_deg for fix in wire]),
            lat_deg=np.array([fix.lat_deg for fix in wire]),
            accuracy_m=np.array([fix.accuracy_m for fix in wire], dtype=np.float64),
            is_gps=np.array([fix.source is Source.GPS for fix in wire]),
            flags=np.array([record.flags for record in rows], dtype=np.int64),
            owner_no=np.array(owner_no, dtype=np.int64),
            keys=np.array([fix.key for fix in wire], dtype=np.int64),
            policy=self._policy,
        ).tolist()
        return [
            record
            if record.flags == found
            else FixRecord(
                record.device_no, record.fix, record.received_s, found, record.slot, record.via
            )
            for record, found in zip(fixes, flags[:n], strict=True)
        ]

    def remember(self, fixes: Sequence[FixRecord], devices: Sequence[DeviceRef]) -> None:
        """Note the fixes of a committed batch, to compare the next one with."""
        if len(self._newest) > _MAX_DEVICES:
            self._newest.clear()
        newest: dict[int, FixRecord] = {}
        for record in fixes:
            known = newest.get(record.device_no)
            if known is None or known.fix.fixed_s < record.fix.fixed_s:
                newest[record.device_no] = record
        for device_no, record in newest.items():
            before = self._newest.get(devices[device_no])
            if before is None or before.fix.fixed_s < record.fix.fixed_s:
                self._newest[devices[device_no]] = record
