"""Compare what phones sent and heard acknowledged with what the database holds."""

from dataclasses import dataclass

from tests.chaos.publisher import Sent
from tests.factories.consumer import Rows
from tests.factories.crew import Phone


@dataclass(frozen=True, slots=True)
class Balance:
    """Counts over all phones; `lost` were acknowledged and are nowhere."""

    sent: int
    acknowledged: int
    stored: int
    quarantined: int
    lost: int
    duplicates: int


def balance(rows: Rows, sent: dict[Phone, Sent]) -> Balance:
    """Read everything back and count; asserts that the ledger agrees with the rows."""
    stored: dict[object, list[int]] = {phone.device_id: [] for phone in sent}
    for device_id, second in rows.all(
        "SELECT device_id, extract(epoch FROM fixed_at)::int8 FROM fixes"
    ):
        stored[device_id].append(second)
    kept: dict[object, set[int]] = {phone.device_id: set() for phone in sent}
    for device_id, key in rows.all("SELECT device_id, msg_key FROM quarantine"):
        kept[device_id].add(key)
    ledger = {
        device_id: counts
        for device_id, *counts in rows.all(
            "SELECT device_id, sum(received)::int, sum(stored)::int, sum(duplicate)::int,"
            " sum(quarantined)::int, sum(off_duty + ignored)::int FROM ingest_ledger GROUP BY 1"
        )
    }
    lost = duplicates = 0
    for phone, record in sent.items():
        seconds = stored[phone.device_id]
        duplicates += len(seconds) - len(set(seconds))
        lost += len(record.acked_fixes - set(seconds))
        lost += len(record.acked_poison - kept[phone.device_id])
        # Nothing appeared that nobody sent.
        assert set(seconds) <= record.fixes
        assert kept[phone.device_id] <= record.poison
        received, counted, repeated, poison, other = ledger[phone.device_id]
        assert counted == len(seconds)
        assert poison == len(kept[phone.device_id])
        assert (other, received) == (0, counted + repeated + poison)
    return Balance(
        sent=sum(len(s.fixes) + len(s.poison) for s in sent.values()),
        acknowledged=sum(len(s.acked_fixes) + len(s.acked_poison) for s in sent.values()),
        stored=sum(len(seconds) for seconds in stored.values()),
        quarantined=sum(len(keys) for keys in kept.values()),
        lost=lost,
        duplicates=duplicates,
    )
