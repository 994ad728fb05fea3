import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.cell_identity import (
    RADIOS,
    REFUSALS,
    CellId,
    CellRefusal,
    Radio,
    check_identity,
    network_code,
    refusal_codes,
)


@pytest.mark.parametrize(
    ("radio", "mcc", "mnc", "area", "cell"),
    [
        (Radio.GSM, 460, 0, 1, 1),
        (Radio.GSM, 460, 0, 65_533, 65_535),
        (Radio.UMTS, 460, 1, 1, 268_435_455),
        (Radio.LTE, 302, 720, 29_100, 8_302_920),
        (Radio.NR, 460, 15, 0, 68_719_476_735),
        (Radio.NR, 460, 0, 16_777_215, 1),
        (Radio.CDMA, None, 13_824, 0, 65_535),
    ],
)
def test_the_ends_of_every_range_are_cells(
    radio: Radio, mcc: int | None, mnc: int, area: int, cell: int
) -> None:
    found = check_identity(radio=radio, mcc=mcc, mnc=mnc, area=area, cell=cell)
    assert found == (CellId(network_code(radio, mcc=mcc, mnc=mnc), area, cell),)
    assert found[0].radio is radio


@pytest.mark.parametrize(
    ("radio", "mcc", "mnc", "area", "cell", "why"),
    [
        (Radio.GSM, 460, 0, 0, 1, CellRefusal.AREA_RESERVED),
        (Radio.GSM, 460, 0, 65_534, 1, CellRefusal.AREA_RESERVED),
        (Radio.GSM, 460, 0, 65_535, 1, CellRefusal.AREA_RESERVED),
        (Radio.LTE, 460, 0, 70_000, 1, CellRefusal.AREA_RANGE),
        (Radio.NR, 460, 0, 16_777_216, 1, CellRefusal.AREA_RANGE),
        (Radio.LTE, 460, 0, 2_147_483_647, 1, CellRefusal.AREA_RESERVED),
        (Radio.GSM, 460, 0, 1, 65_536, CellRefusal.CELL_RANGE),
        (Radio.GSM, 460, 0, 1, 0, CellRefusal.CELL_RESERVED),
        (Radio.LTE, 460, 0, 1, 268_435_455, CellRefusal.CELL_RESERVED),
        (Radio.LTE, 460, 0, 1, 2_147_483_647, CellRefusal.CELL_RESERVED),
        (Radio.LTE, 460, 0, 1, -1, CellRefusal.CELL_RESERVED),
        (Radio.NR, 460, 0, 1, 68_719_476_736, CellRefusal.CELL_RANGE),
        (Radio.NR, 460, 0, 1, 9_223_372_036_854_775_807, CellRefusal.CELL_RESERVED),
        (Radio.LTE, 0, 0, 1, 1, CellRefusal.MCC),
        (Radio.LTE, 999, 0, 1, 1, CellRefusal.MCC),
        (Radio.LTE, None, 0, 1, 1, CellRefusal.MCC),
        (Radio.LTE, 460, 1_000, 1, 1, CellRefusal.MNC),
        (Radio.LTE, 460, None, 1, 1, CellRefusal.MNC),
        (Radio.CDMA, None, 0, 1, 1, CellRefusal.MNC),
        (Radio.CDMA, None, 32_768, 1, 1, CellRefusal.MNC),
        (Radio.LTE, 460, 0, None, None, CellRefusal.INCOMPLETE),
    ],
)
def test_what_no_cell_can_be_is_refused_with_the_reason(
    radio: Radio,
    mcc: int | None,
    mnc: int | None,
    area: int | None,
    cell: int | None,
    why: CellRefusal,
) -> None:
    assert check_identity(radio=radio, mcc=mcc, mnc=mnc, area=area, cell=cell) is why


def test_without_a_radio_every_one_with_room_is_meant() -> None:
    small = check_identity(radio=None, mcc=460, mnc=0, area=9_711, cell=3_822)
    assert isinstance(small, tuple)
    assert {name.radio for name in small} == {Radio.GSM, Radio.UMTS, Radio.LTE, Radio.NR}
    large = check_identity(radio=None, mcc=460, mnc=0, area=9_711, cell=4_253_836)
    assert isinstance(large, tuple)
    assert {name.radio for name in large} == {Radio.UMTS, Radio.LTE, Radio.NR}
    nothing = check_identity(radio=None, mcc=460, mnc=0, area=0, cell=0)
    assert nothing is CellRefusal.AREA_RESERVED


def test_only_long_numbers_name_a_cell_without_its_area() -> None:
    def unique(radio: Radio, cell: int) -> bool:
        return CellId(network_code(radio, mcc=460, mnc=0), None, cell).is_unique_in_network

    assert unique(Radio.LTE, 5)
    assert unique(Radio.UMTS, 65_536)
    assert not unique(Radio.UMTS, 65_535)
    assert not unique(Radio.GSM, 5)
    assert not unique(Radio.CDMA, 5)


edges = st.sampled_from(
    [-1, 0, 1, 199, 200, 799, 800, 999, 1_000, 32_767, 32_768, 65_533, 65_534, 65_535, 65_536,
     16_777_215, 16_777_216, 268_435_454, 268_435_455, 2_147_483_647, 68_719_476_735,
     68_719_476_736, 9_223_372_036_854_775_807]
)  # fmt: skip


@settings(deadline=None)
@given(st.sampled_from(range(len(RADIOS))), edges, edges, edges, edges)
def test_columns_are_judged_like_single_cells(
    radio: int, mcc: int, mnc: int, area: int, cell: int
) -> None:
    code = refusal_codes(*(np.array([x], dtype=np.int64) for x in (radio, mcc, mnc, area, cell)))
    one = check_identity(radio=RADIOS[radio], mcc=mcc, mnc=mnc, area=area, cell=cell)
    assert (one if isinstance(one, CellRefusal) else None) is (
        REFUSALS[code[0] - 1] if code[0] else None
    )


def test_a_radio_nobody_knows_is_refused_in_columns() -> None:
    code = refusal_codes(*(np.array([x]) for x in (-1, 460, 0, 1, 1)))
    assert REFUSALS[code[0] - 1] is CellRefusal.RADIO
