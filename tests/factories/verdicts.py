"""What became of the messages of one device, compared with what had to."""

from typing import Any

from geo.fix import QualityFlag
from tests.factories.bad_input import Case
from tests.factories.consumer import Rows
from tests.factories.crew import Phone

_COLUMNS = ("accuracy_m", "altitude_m", "speed_mps", "course_deg", "battery_pct", "trigger", "mock")
_LEDGER = ("received", "stored", "duplicate", "quarantined", "off_duty", "ignored")


def check(rows: Rows, phone: Phone, case: Case, *, extra_stored: int) -> None:
    """Compare one device's rows with the outcome of one case.

    Parameters
    ----------
    extra_stored : good fixes the device sent besides.
    """
    expected = case.outcome
    reasons = {reason for (reason,) in _of(rows, phone, "SELECT reason FROM quarantine")}
    wanted = {expected[name] for name in ("quarantined", "also") if name in expected}
    assert reasons == wanted, case.shows
    ledger = dict(zip(_LEDGER, _ledger(rows, phone), strict=True))
    assert ledger["received"] == case.records + extra_stored
    assert ledger["received"] == sum(ledger.values()) - ledger["received"]
    assert ledger["quarantined"] == len(wanted)
    events = expected.get("events", 1) if "event" in expected else 0
    assert ledger["stored"] == expected.get("stored", 0) + events + extra_stored
    assert ledger["duplicate"] == expected.get("duplicate", 0)
    assert ledger["off_duty"] == expected.get("off_duty", 0)
    assert ledger["ignored"] == expected.get("ignored", 0)
    kinds = _of(rows, phone, "SELECT kind FROM device_events")
    assert kinds == [(expected["event"],)] * events if events else kinds == []
    kept = _of(rows, phone, "SELECT detail, payload IS NOT NULL FROM quarantine")
    assert all(expected.get("detail", "") in detail for detail, _ in kept)
    assert all(sealed is expected.get("sealed", sealed) for _, sealed in kept)
    raws = [bytes(raw).decode() for (raw,) in _of(rows, phone, "SELECT raw FROM fixes")]
    assert not [text for text in expected.get("absent", ()) if any(text in raw for raw in raws)]
    if {"flags", "null", "steady"} & set(expected):
        _check_fix(rows, phone, expected)


def check_unowned(rows: Rows, phone: Phone, case: Case) -> None:
    """Compare what was quarantined under a topic with the reason; payloads are not kept."""
    found = rows.all(
        "SELECT reason, payload IS NULL FROM quarantine WHERE starts_with(topic, %s)",
        f"owntracks/{phone.username}/",
    )
    wanted = case.door.get("unowned")
    assert found == ([(wanted, True)] if wanted else [])


def _check_fix(rows: Rows, phone: Phone, expected: dict[str, Any]) -> None:
    columns = ", ".join(_COLUMNS)
    # The good fixes beside are marked by their battery of 55.
    found = _of(
        rows,
        phone,
        f"SELECT flags, {columns} FROM fixes",
        "AND battery_pct IS DISTINCT FROM 55 ORDER BY fixed_at",
    )
    assert found
    if "steady" in expected:
        assert "jump" not in QualityFlag(found[-1][0]).names()
    for flags, *values in found:
        names = set(QualityFlag(flags).names())
        # Neighbours in the batch may add doubts of their own.
        assert set(expected.get("flags", names)) <= names
        for column in expected.get("null", ()):
            assert values[_COLUMNS.index(column)] is None, column


def _ledger(rows: Rows, phone: Phone) -> tuple[Any, ...]:
    sums = ", ".join(f"coalesce(sum({name}), 0)::int" for name in _LEDGER)
    (found,) = _of(rows, phone, f"SELECT {sums} FROM ingest_ledger")
    return found


def _of(rows: Rows, phone: Phone, query: str, rest: str = "") -> list[tuple[Any, ...]]:
    return rows.all(
        f"{query} WHERE tenant_id = %s AND device_id = %s {rest}", phone.tenant_id, phone.device_id
    )
