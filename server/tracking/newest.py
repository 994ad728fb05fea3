"""What a batch says of the present: newest position of each person, health of each device."""

import json
import math
from typing import Any, Final

import numpy as np

from geo.fix import NOT_EVIDENCE, SOURCES, IntArray
from server.db.binary import pack, uuids
from server.tracking import store
from server.tracking.columns import FixTable, Owners, last_of_each
from server.tracking.records import Batch, FixRecord, RadioRecord

_NOT_EVIDENCE: Final = int(NOT_EVIDENCE)


def keep_positions(cursor: store.Cursor, fixes: FixTable, owners: Owners) -> tuple[FixRecord, ...]:
    """Keep the newest credible fix of each person; never goes back in time.

    Order is by time, then by key, so that it is the same in any order of arrival.

    Returns
    -------
    The fixes that became somebody's last position.
    """
    credible = np.flatnonzero((fixes.rows["flags"] & _NOT_EVIDENCE) == 0)
    if not len(credible):
        return ()
    rows = fixes.rows[credible]
    person_no = owners.person_no[rows["device_no"]]
    newest = credible[last_of_each(person_no, rows["fixed_s"], rows["key"])]
    moved = store.upsert_positions(cursor, _positions(fixes, newest, owners))
    return tuple(fixes.records(newest[moved]))


def _positions(fixes: FixTable, newest: IntArray, owners: Owners) -> dict[str, Any]:
    rows = fixes.rows[newest]
    senders = owners.rows[rows["device_no"]]
    slots = uuids([slot.roster_entry_id for slot in fixes.slots])
    columns: dict[str, Any] = {
        "tenant_id": pack("int4", senders["tenant_id"]),
        "employee_id": pack("uuid", senders["employee_id"]),
        "device_id": pack("uuid", senders["device_id"]),
        "roster_entry_id": pack("uuid", slots[rows["slot_no"]]),
        "fixed_s": pack("float8", rows["fixed_s"]),
        "received_s": pack("float8", rows["received_s"]),
        "msg_key": pack("int8", rows["key"]),
        "lon": pack("float8", rows["lon_deg"]),
        "lat": pack("float8", rows["lat_deg"]),
        "battery_pct": pack("int2", rows["battery_pct"], null=rows["battery_pct"] < 0),
        "source": pack("int2", rows["source"]),
        "sources": [source.value for source in SOURCES],
        "flags": pack("int4", rows["flags"]),
    }
    for name in ("accuracy_m", "speed_mps", "course_deg"):
        columns[name] = pack("float8", rows[name], null=np.isnan(rows[name]))
    return columns


def keep_health(cursor: store.Cursor, fixes: FixTable, batch: Batch, owners: Owners) -> None:
    """Note what the devices of a batch said of themselves."""
    health = _Health(len(batch.devices))
    if len(fixes):
        health.take_fixes(fixes)
    for event in batch.events:
        health.hear(event.device_no, event.received_s, lost=event.lost, status=event.health)
    for report in batch.radio:
        if not report.has_fix:
            health.take_scan(report)
    heard = np.argsort(owners.rank)
    heard = heard[~np.isnan(health.seen_s[heard])]
    if not len(heard):
        return
    columns: dict[str, Any] = {
        "tenant_id": pack("int4", owners.rows["tenant_id"][heard]),
        "device_id": pack("uuid", owners.rows["device_id"][heard]),
        "battery_pct": pack("int2", health.battery[heard], null=health.battery[heard] < 0),
        "charging": pack("int2", health.charging[heard], null=health.charging[heard] < 0),
        "connection": [text.decode() or None for text in health.connection[heard].tolist()],
        "mode": [text.decode() or None for text in health.mode[heard].tolist()],
        "status": [health.status.get(no) for no in heard.tolist()],
    }
    for name, values in (
        ("seen_s", health.seen_s), ("fixed_s", health.fixed_s), ("lost_s", health.lost_s),
    ):  # fmt: skip
        columns[name] = pack("float8", values[heard], null=np.isnan(values[heard]))
    store.upsert_health(cursor, columns)


class _Health:
    """One row a device of the batch; NaN, -1 and empty text where nothing was said."""

    def __init__(self, devices: int) -> None:
        self.seen_s = np.full(devices, math.nan)
        self.fixed_s = np.full(devices, math.nan)
        self.lost_s = np.full(devices, math.nan)
        self.battery = np.full(devices, -1, dtype=np.int16)
        self.charging = np.full(devices, -1, dtype=np.int16)
        self.connection = np.zeros(devices, dtype="S12")
        self.mode = np.zeros(devices, dtype="S12")
        self.status: dict[int, str] = {}

    def take_fixes(self, fixes: FixTable) -> None:
        """Take what the newest fix of each device says; where it is silent, the one before."""
        rows = fixes.rows
        np.fmax.at(self.seen_s, rows["device_no"], rows["received_s"])
        np.fmax.at(self.fixed_s, rows["device_no"], rows["fixed_s"])
        for name, kept, told in (
            ("battery_pct", self.battery, rows["battery_pct"] >= 0),
            ("charging", self.charging, rows["charging"] >= 0),
            ("connection", self.connection, rows["connection"] != b""),
            ("mode", self.mode, rows["mode"] != b""),
        ):
            some = rows[told]
            last = some[last_of_each(some["device_no"], some["fixed_s"], some["key"])]
            kept[last["device_no"]] = last[name]

    def take_scan(self, report: RadioRecord) -> None:
        """Take what a message without a position says, where no newer fix says it."""
        no = report.device_no
        self.hear(no, report.received_s, lost=False, status=None)
        if not report.fixed_s < self.fixed_s[no]:
            if report.battery_pct is not None:
                self.battery[no] = report.battery_pct
            if report.charging is not None:
                self.charging[no] = report.charging

    def hear(
        self, device_no: int, received_s: float, *, lost: bool, status: dict[str, Any] | None
    ) -> None:
        """Take an event in; a device that is heard of later is not lost any more."""
        if not received_s < self.seen_s[device_no]:
            self.seen_s[device_no] = received_s
            self.lost_s[device_no] = received_s if lost else math.nan
        if status is not None:
            self.status[device_no] = json.dumps(status)
            if isinstance(status.get("battery_pct"), int):
                self.battery[device_no] = status["battery_pct"]
