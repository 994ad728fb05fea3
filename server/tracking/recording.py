"""Record what arrived, all or nothing, and prove by counts that nothing vanished."""

import json
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from geo.fix import NOT_EVIDENCE, from_epoch_s
from server.db.types import new_id
from server.tracking import store
from server.tracking.records import (
    Batch,
    DeviceRef,
    DutySlot,
    FixRecord,
    QuarantineRecord,
    Recorded,
)

_DAY_S = 86_400.0
_Key = tuple[int, UUID, date]


def record_fixes(session: Session, batch: Batch) -> Recorded:
    """Record one batch of decoded messages in the caller's transaction.

    Stores fixes and events that are not there yet, quarantines the rest with reasons, keeps
    last positions and device health (never going back in time), queues touched person-days
    for the engine and adds the outcome of every single record to the ledger.

    Parameters
    ----------
    session : of `outpost_ingest`, all tenants; the caller commits, and acknowledges after.
    batch : records that passed the duty gate, and counts of those that did not.

    Returns
    -------
    Counts of this batch. Idempotent: recording the same batch again stores nothing, and
    counts every record as a duplicate.

    Raises
    ------
    psycopg.Error : nothing of the batch is stored then, once the caller rolls back.
    """
    cursor = store.cursor_of(session)
    ledger = _Ledger(batch.devices)
    ledger.received((record.device_no, record.received_s) for record in batch.fixes)
    stored = store.insert_fixes(cursor, batch.fixes, batch.devices)
    ledger.stored(stored)
    told: store.Counts = {}
    moved = _keep_positions(cursor, batch)
    if batch.events:
        ledger.received((event.device_no, event.received_s) for event in batch.events)
        told = store.insert_events(cursor, _event_columns(batch))
        ledger.stored(told)
    if stored or told:
        _touch_days(cursor, batch, stored, told)
    if batch.fixes or batch.events:
        _keep_health(cursor, batch)
    ledger.settle()
    if batch.quarantined:
        _quarantine(cursor, batch, ledger)
    for device_no, received_s in batch.off_duty:
        ledger.count(device_no, received_s, "off_duty")
    for device_no, received_s in batch.ignored:
        ledger.count(device_no, received_s, "ignored")
    columns = ledger.columns()
    if columns["received"]:
        store.add_to_ledger(cursor, columns)
    return Recorded(moved, **{name: sum(columns[name]) for name in ("received", *_OUTCOMES)})


def insert_new(session: Session, batch: Batch) -> int:
    """Insert the fixes of a batch that are not there yet, and nothing else of it.

    For benchmarks and imports that keep no ledger; doors use `record_fixes`.

    Returns
    -------
    How many were new.
    """
    stored = store.insert_fixes(store.cursor_of(session), batch.fixes, batch.devices)
    return sum(stored.values())


_OUTCOMES = ("stored", "duplicate", "quarantined", "off_duty", "ignored")


class _Ledger:
    """Outcomes by device and UTC day of receipt."""

    def __init__(self, devices: list[DeviceRef]) -> None:
        self._devices = devices
        self._received: Counter[tuple[int, float]] = Counter()
        self._rows: dict[_Key, Counter[str]] = {}

    def received(self, records: Iterable[tuple[int, float]]) -> None:
        self._received.update(
            [(device_no, received_s // _DAY_S) for device_no, received_s in records]
        )

    def stored(self, counts: store.Counts) -> None:
        for key, count in counts.items():
            self._row(key)["stored"] += count

    def settle(self) -> None:
        """Count as duplicates what was received and not stored: it was there already."""
        for (device_no, day), count in self._received.items():
            self._row(self._key(device_no, day))["received"] += count
        for row in self._rows.values():
            row["duplicate"] = row["received"] - row["stored"]

    def count(self, device_no: int, received_s: float, outcome: str, count: int = 1) -> None:
        row = self._row(self._key(device_no, received_s // _DAY_S))
        row["received"] += count
        row[outcome] += count

    def columns(self) -> dict[str, list[Any]]:
        keys = sorted(self._rows)
        columns: dict[str, list[Any]] = {
            "tenant_id": [key[0] for key in keys],
            "device_id": [key[1] for key in keys],
            "received_on": [key[2] for key in keys],
        }
        for name in ("received", *_OUTCOMES):
            columns[name] = [self._rows[key][name] for key in keys]
        return columns

    def _key(self, device_no: int, day: float) -> _Key:
        device = self._devices[device_no]
        on = datetime.fromtimestamp(day * _DAY_S, UTC).date()
        return device.tenant_id, device.device_id, on

    def _row(self, key: _Key) -> Counter[str]:
        return self._rows.setdefault(key, Counter())


def _touch_days(
    cursor: store.Cursor, batch: Batch, stored: store.Counts, told: store.Counts
) -> None:
    """Queue the days of new fixes, and of new events that say why fixes are missing."""
    # Device number and slot are cheap to compare; people and dates are looked at once each.
    earliest: dict[tuple[int, int], tuple[float, DutySlot]] = {}
    if stored:
        for record in batch.fixes:
            fixed_s, slot = record.fix.fixed_s, record.slot
            known = earliest.get((record.device_no, id(slot)))
            if known is None or fixed_s < known[0]:
                earliest[record.device_no, id(slot)] = (fixed_s, slot)
    senders = _senders_of(batch, stored)
    found = [(no, *rest) for (no, _), rest in earliest.items() if no in senders]
    senders = _senders_of(batch, told)
    found += [
        (event.device_no, event.at_s, event.slot)
        for event in batch.events
        if event.slot is not None and event.device_no in senders
    ]
    if not found:
        return
    since: dict[tuple[int, UUID, date], float] = {}
    for device_no, at_s, slot in found:
        device = batch.devices[device_no]
        for work_on in slot.work_on:
            day = (device.tenant_id, device.employee_id, work_on)
            since[day] = min(at_s, since.get(day, at_s))
    columns = _transpose(("tenant_id", "employee_id", "work_on"), since)
    store.insert_touched(cursor, columns | {"since_s": list(since.values())})


def _senders_of(batch: Batch, counts: store.Counts) -> set[int]:
    """Return the numbers of the devices that any of the new rows is of."""
    fresh = {(tenant_id, device_id) for tenant_id, device_id, _ in counts}
    return {
        no
        for no, device in enumerate(batch.devices)
        if (device.tenant_id, device.device_id) in fresh
    }


def _place_of(record: FixRecord) -> tuple[float, int]:
    """Order of last positions: by time, then by key, so that it is the same in any order."""
    return record.fix.fixed_s, record.fix.key


def _keep_positions(cursor: store.Cursor, batch: Batch) -> tuple[FixRecord, ...]:
    by_device: dict[int, FixRecord] = {}
    not_evidence = int(NOT_EVIDENCE)
    for record in batch.fixes:
        if not record.flags & not_evidence:
            best = by_device.get(record.device_no)
            if best is None or _place_of(record) > _place_of(best):
                by_device[record.device_no] = record
    newest: dict[tuple[int, UUID], FixRecord] = {}
    for device_no, record in by_device.items():
        device = batch.devices[device_no]
        person = (device.tenant_id, device.employee_id)
        if person not in newest or _place_of(record) > _place_of(newest[person]):
            newest[person] = record
    if not newest:
        return ()
    ordered = sorted(newest)
    records = [newest[key] for key in ordered]
    fixes = [record.fix for record in records]
    moved = store.upsert_positions(
        cursor,
        _transpose(("tenant_id", "employee_id"), ordered)
        | {
            "device_id": [batch.devices[record.device_no].device_id for record in records],
            "fixed_s": [fix.fixed_s for fix in fixes],
            "received_s": [record.received_s for record in records],
            "msg_key": [fix.key for fix in fixes],
            "lon": [fix.lon_deg for fix in fixes],
            "lat": [fix.lat_deg for fix in fixes],
            "accuracy_m": [fix.accuracy_m for fix in fixes],
            "speed_mps": [fix.speed_mps for fix in fixes],
            "course_deg": [fix.course_deg for fix in fixes],
            "battery_pct": [fix.battery_pct for fix in fixes],
            "source": [fix.source.value for fix in fixes],
            "flags": [record.flags for record in records],
            "roster_entry_id": [record.slot.roster_entry_id for record in records],
        },
    )
    return tuple(newest[key] for key in ordered if key in moved)


_TOLD = ("battery_pct", "charging", "connection", "mode")
_HEALTH = ("seen_at", "fixed_at", *_TOLD, "lost_at")


def _keep_health(cursor: store.Cursor, batch: Batch) -> None:
    by_device: dict[int, dict[str, Any]] = {}

    def row_of(device_no: int, received_s: float) -> dict[str, Any]:
        row = by_device.get(device_no)
        if row is None:
            row = by_device[device_no] = {"seen_at": received_s}
        elif received_s >= row["seen_at"]:
            row["seen_at"] = received_s
            row["lost_at"] = None
        return row

    for record in batch.fixes:
        row = row_of(record.device_no, record.received_s)
        fix = record.fix
        if fix.fixed_s >= row.get("fixed_at", 0.0):
            row["fixed_at"] = fix.fixed_s
            told = (fix.battery_pct, fix.charging, fix.connection, fix.mode)
            row.update((n, v) for n, v in zip(_TOLD, told, strict=True) if v is not None)
    for event in batch.events:
        row = row_of(event.device_no, event.received_s)
        if event.lost:
            row["lost_at"] = event.received_s
        if event.health is not None:
            row["status"] = json.dumps(event.health)
    owners = batch.devices
    rows = {(owners[no].tenant_id, owners[no].device_id): row for no, row in by_device.items()}
    ordered = sorted(rows)
    columns = _transpose(("tenant_id", "device_id"), ordered)
    for name in (*_HEALTH, "status"):
        columns[name] = [rows[key].get(name) for key in ordered]
    for name in ("seen_at", "fixed_at", "lost_at"):
        columns[name] = [None if s is None else from_epoch_s(s) for s in columns[name]]
    store.upsert_health(cursor, columns)


def _event_columns(batch: Batch) -> dict[str, list[Any]]:
    events = batch.events
    owners = [batch.devices[event.device_no] for event in events]
    return {
        "tenant_id": [owner.tenant_id for owner in owners],
        "device_id": [owner.device_id for owner in owners],
        "employee_id": [owner.employee_id for owner in owners],
        "at": [from_epoch_s(event.at_s) for event in events],
        "msg_key": [event.key for event in events],
        "kind": [event.kind for event in events],
        "received_at": [from_epoch_s(event.received_s) for event in events],
        "body": [json.dumps(event.body) for event in events],
        "via": [event.via.value for event in events],
    }


def _quarantine(cursor: store.Cursor, batch: Batch, ledger: _Ledger) -> None:
    """Keep each message once a reason; what came more often is a duplicate."""
    kept: dict[tuple[int, str, int, str], list[QuarantineRecord]] = {}
    for record in batch.quarantined:
        tenant_id = batch.devices[record.device_no].tenant_id
        kept.setdefault((tenant_id, record.username, record.key, record.reason), []).append(record)
    ordered = sorted(kept)
    first = [kept[key][0] for key in ordered]
    owners = [batch.devices[record.device_no] for record in first]
    fresh = store.upsert_quarantine(
        cursor,
        _transpose(("tenant_id", "username", "msg_key", "reason"), ordered)
        | {
            "id": [new_id() for _ in first],
            "device_id": [owner.device_id if owner.device_id.int else None for owner in owners],
            "topic": [record.topic for record in first],
            "received_at": [from_epoch_s(record.received_s) for record in first],
            "detail": [record.detail for record in first],
            "size": [record.size for record in first],
            "payload": [record.payload for record in first],
            "via": [record.via.value for record in first],
            "attempts": [len(kept[key]) for key in ordered],
        },
    )
    for key, is_new in zip(ordered, fresh, strict=True):
        for no, record in enumerate(kept[key]):
            outcome = "quarantined" if is_new and no == 0 else "duplicate"
            ledger.count(record.device_no, record.received_s, outcome)


def _transpose(names: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> dict[str, list[Any]]:
    listed = list(rows)
    return {name: [row[no] for row in listed] for no, name in enumerate(names)}
