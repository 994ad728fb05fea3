"""Record what arrived, all or nothing, and prove by counts that nothing vanished."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from sqlalchemy.orm import Session

from geo.fix import from_epoch_s
from server.db.binary import pack
from server.db.types import new_id
from server.tracking import store
from server.tracking.columns import FixTable, Owners, last_of_each
from server.tracking.ledger import Counts, Ledger
from server.tracking.newest import keep_health, keep_positions
from server.tracking.radio import record_radio_reports
from server.tracking.records import (
    Batch,
    DutySlot,
    FixRecord,
    QuarantineRecord,
    Recorded,
)

_PERSON = np.dtype([("tenant_id", ">i4"), ("employee_id", "V16")])
_Touched = tuple[int, float, DutySlot]
"""Device number, epoch seconds and duty of a new fact."""


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
    fixes = _fixes_of(batch)
    owners = Owners.of(batch.devices)
    ledger = Ledger(batch.devices, owners)
    moved: tuple[FixRecord, ...] = ()
    touched: list[_Touched] = []
    if len(fixes):
        stored = store.insert_fixes(cursor, fixes, owners, is_first=batch.is_first)
        outcome = "stored" if stored is None else "duplicate"
        ledger.add(outcome, fixes.rows["device_no"], fixes.rows["received_s"])
        ledger.renew(stored or {})
        touched += _touched_by_fixes(fixes, batch, stored)
        moved = keep_positions(cursor, fixes, owners)
    if batch.events:
        told = store.insert_events(cursor, _event_columns(batch))
        for event in batch.events:
            ledger.count(event.device_no, event.received_s, "duplicate")
        ledger.renew(told)
        touched += _touched_by_events(batch, told)
    _touch_days(cursor, batch, touched)
    if batch.radio:
        record_radio_reports(cursor, batch.radio, batch.devices, ledger)
    if len(fixes) or batch.events or batch.radio:
        keep_health(cursor, fixes, batch, owners)
    if batch.quarantined:
        _quarantine(cursor, batch, ledger)
    for device_no, received_s in batch.off_duty:
        ledger.count(device_no, received_s, "off_duty")
    for device_no, received_s in batch.ignored:
        ledger.count(device_no, received_s, "ignored")
    totals = ledger.totals()
    if totals["received"]:
        store.add_to_ledger(cursor, ledger.columns())
    return Recorded(moved, **totals)


def insert_new(session: Session, batch: Batch) -> int:
    """Insert the fixes of a batch that are not there yet, and nothing else of it.

    For benchmarks and imports that keep no ledger; doors use `record_fixes`.

    Returns
    -------
    How many were new.
    """
    fixes = _fixes_of(batch)
    if not len(fixes):
        return 0
    cursor, owners = store.cursor_of(session), Owners.of(batch.devices)
    stored = store.insert_fixes(cursor, fixes, owners, is_first=batch.is_first)
    return len(fixes) if stored is None else sum(stored.values())


def _fixes_of(batch: Batch) -> FixTable:
    tables = [FixTable.of(batch.fixes)] if batch.fixes else []
    return FixTable.joined([*tables, *([batch.table] if batch.table else [])])


def _touched_by_fixes(fixes: FixTable, batch: Batch, stored: Counts | None) -> list[_Touched]:
    """Return the earliest fix of each device and duty, of devices that have new ones."""
    rows = fixes.rows
    pair = rows["device_no"].astype(np.int64) * len(fixes.slots) + rows["slot_no"]
    # The last by the negated time is the earliest.
    earliest = rows[last_of_each(pair, -rows["fixed_s"])]
    columns = (earliest[name].tolist() for name in ("device_no", "fixed_s", "slot_no"))
    found = [(no, at_s, fixes.slots[slot_no]) for no, at_s, slot_no in zip(*columns, strict=True)]
    if stored is None:
        return found
    senders = _senders_of(batch, stored)
    return [one for one in found if one[0] in senders]


def _touched_by_events(batch: Batch, told: Counts) -> list[_Touched]:
    """Return the new events that say why fixes are missing."""
    senders = _senders_of(batch, told)
    return [
        (event.device_no, event.at_s, event.slot)
        for event in batch.events
        if event.slot is not None and event.device_no in senders
    ]


def _touch_days(cursor: store.Cursor, batch: Batch, touched: Sequence[_Touched]) -> None:
    """Queue days for the engine, each once and from the earliest new fact on."""
    since: dict[tuple[bytes, int], float] = {}
    for device_no, at_s, slot in touched:
        person = batch.devices[device_no].packed[:20]
        for work_on in slot.work_on:
            day = (person, work_on.toordinal())
            since[day] = min(at_s, since.get(day, at_s))
    if not since:
        return
    people = np.frombuffer(b"".join([person for person, _ in since]), dtype=_PERSON)
    store.insert_touched(
        cursor,
        {
            "tenant_id": pack("int4", people["tenant_id"]),
            "employee_id": pack("uuid", people["employee_id"]),
            "work_on": pack("date", [work_on for _, work_on in since]),
            "since_s": pack("float8", list(since.values())),
        },
    )


def _senders_of(batch: Batch, counts: Counts) -> set[int]:
    """Return the numbers of the devices that any of the new rows is of."""
    if not counts:
        return set()
    fresh = {(tenant_id, device_id) for tenant_id, device_id, _ in counts}
    return {
        no
        for no, device in enumerate(batch.devices)
        if (device.tenant_id, device.device_id) in fresh
    }


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


def _quarantine(cursor: store.Cursor, batch: Batch, ledger: Ledger) -> None:
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
