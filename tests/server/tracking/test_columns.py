"""Columns hold what records say, and are made into them again."""

from datetime import date
from uuid import UUID

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from geo.fix import SOURCES
from ingest.wire import WireFix
from server.tracking.columns import FixTable, Owners, last_of_each
from server.tracking.records import DeviceRef, DutySlot, FixRecord, Via

SLOTS = [DutySlot(UUID(int=no), (date(2026, 11, 18 + no),), 0.0, 9e9) for no in range(3)]
finite = st.floats(-1e6, 1e6)
fixes = st.builds(
    WireFix,
    fixed_s=st.floats(0, 4e9),
    lon_deg=st.floats(-180, 180),
    lat_deg=st.floats(-90, 90),
    key=st.integers(-(2**63), 2**63 - 1),
    raw=st.binary(max_size=20),
    accuracy_m=st.none() | finite,
    altitude_m=st.none() | finite,
    speed_mps=st.none() | finite,
    course_deg=st.none() | finite,
    battery_pct=st.none() | st.integers(0, 100),
    sent_s=st.none() | st.floats(0, 4e9),
    source=st.sampled_from(SOURCES),
    trigger=st.none() | st.sampled_from("ptu~"),
    mock=st.none() | st.booleans(),
    charging=st.none() | st.booleans(),
    connection=st.sampled_from([None, "wifi", "mobile", "offline"]),
    mode=st.sampled_from([None, "quiet", "significant"]),
)
records = st.builds(
    FixRecord,
    device_no=st.integers(0, 5),
    fix=fixes,
    received_s=st.floats(0, 4e9),
    flags=st.integers(0, 2**14 - 1),
    slot=st.sampled_from(SLOTS),
    via=st.sampled_from(Via),
)


def _same(one: FixRecord, other: FixRecord) -> bool:
    names = type(other.fix).__struct_fields__  # type: ignore[attr-defined]
    return (
        (one.device_no, one.received_s, one.flags, one.slot, one.via)
        == (other.device_no, other.received_s, other.flags, other.slot, other.via)
    ) and all(getattr(one.fix, name) == getattr(other.fix, name) for name in names)


@given(st.lists(records, max_size=5), st.lists(records, max_size=5))
def test_records_survive_columns_and_joining(some: list[FixRecord], more: list[FixRecord]) -> None:
    table = FixTable.joined([FixTable.of(some), FixTable.of(more)])
    back = table.records(np.arange(len(table)))
    assert len(back) == len(some) + len(more)
    assert all(_same(one, other) for one, other in zip([*some, *more], back, strict=True))


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3), st.integers(0, 9)), max_size=30))
def test_the_last_of_each_owner_is_the_largest(rows: list[tuple[int, int, int]]) -> None:
    owner, first, second = np.array(rows, dtype=np.int64).reshape(-1, 3).T
    last = last_of_each(owner, first, second)
    wanted = {no: max(row[1:] for row in rows if row[0] == no) for no in {row[0] for row in rows}}
    found = [(rows[index][0], rows[index][1:]) for index in last.tolist()]
    assert found == sorted(wanted.items())


def test_devices_and_people_are_ordered_as_the_database_orders_them() -> None:
    a, b, c = UUID(int=1), UUID(int=256), UUID(int=2**127)
    devices = [DeviceRef(2, a, c), DeviceRef(1, c, b), DeviceRef(1, b, b), DeviceRef(1, a, c)]
    owners = Owners.of(devices)
    assert owners.rank.tolist() == [3, 2, 1, 0]
    assert owners.person_no.tolist() == [2, 0, 0, 1]
