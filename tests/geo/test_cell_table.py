import csv
import io
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.cell_identity import Radio, network_code
from geo.cell_table import COLUMNS, CellColumns, CellTable
from geo.crs import Datum, convert_point
from geo.errors import UnreadableInput

HEADER = ",".join(COLUMNS).encode()
GOOD = b"GSM,460,0,4282,1374,,116.435411287,39.9098614727,493,55,1,1377178208,1432976121,\n"


def parse(*lines: bytes, datum: Datum = Datum.WGS84) -> tuple[CellColumns, Counter[str]]:
    return CellTable(HEADER, datum=datum).parse(b"".join(lines))


def test_published_rows_are_read_as_they_are() -> None:
    cells, rejected = parse(
        GOOD, b"GSM,262,2,852,2521,0,10.948628,50.170324,15762,200,0,1294561074,1662692508,0\n"
    )
    assert not rejected
    assert cells.network.tolist() == [
        network_code(Radio.GSM, mcc=460, mnc=0), network_code(Radio.GSM, mcc=262, mnc=2)
    ]  # fmt: skip
    assert cells.area.tolist() == [4282, 852]
    assert cells.cell.tolist() == [1374, 2521]
    assert cells.lon_deg.tolist() == [116.435411287, 10.948628]
    assert cells.lat_deg.tolist() == [39.9098614727, 50.170324]
    assert cells.range_m.tolist() == [493.0, 15762.0]
    assert cells.samples.tolist() == [55, 200]
    assert cells.is_exact.tolist() == [False, True]
    assert cells.updated_s.tolist() == [1432976121.0, 1662692508.0]


def test_windows_line_ends_quotes_and_small_letters_make_no_difference() -> None:
    plain, _ = parse(GOOD, GOOD)
    other, rejected = parse(
        GOOD.replace(b"\n", b"\r\n"), GOOD.replace(b"GSM", b'"gsm"').replace(b"460", b'"460"')
    )
    assert not rejected
    for name in ("network", "cell", "lon_deg", "updated_s"):
        assert getattr(plain, name).tolist() == getattr(other, name).tolist()


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"GSM,460,0,4282\n", "columns"),
        (GOOD.replace(b"\n", b",1\n"), "columns"),
        (GOOD.replace(b"116.435411287", b"east"), "not_a_number"),
        (GOOD.replace(b"116.435411287", b""), "not_a_number"),
        (GOOD.replace(b"116.435411287", b"nan"), "not_a_number"),
        (GOOD.replace(b",1374,", b",13a4,"), "not_a_number"),
        (GOOD.replace(b",1374,", b",,"), "not_a_number"),
        (GOOD.replace(b",1374,", b",1374.5,"), "not_a_number"),
        (GOOD.replace(b",1374,", b",99999999999999999999999,"), "not_a_number"),
        (GOOD.replace(b"116.435411287", b"190.5"), "position"),
        (GOOD.replace(b"39.9098614727", b"-90.5"), "position"),
        (GOOD.replace(b"116.435411287,39.9098614727", b"0.0,0.0"), "null_island"),
        (GOOD.replace(b",1374,", b",65536,"), "cell_range"),
        (GOOD.replace(b",1374,", b",2147483647,"), "cell_reserved"),
        (GOOD.replace(b",4282,", b",65535,"), "area_reserved"),
        (GOOD.replace(b",4282,", b",-1,"), "area_reserved"),
        (GOOD.replace(b"460", b"0"), "mcc_range"),
        (GOOD.replace(b"GSM", b"GSX"), "radio_unknown"),
        (GOOD.replace(b"GSM", b"G"), "radio_unknown"),
    ],
)
def test_a_bad_row_is_left_out_with_its_reason_and_no_other(line: bytes, why: str) -> None:
    cells, rejected = parse(GOOD, line, GOOD)
    assert cells.cell.tolist() == [1374, 1374]
    assert rejected == {why: 1}


@settings(deadline=None)
@given(
    lon=st.floats(-180, 180).map(lambda x: round(x, 7)),
    lat=st.floats(-90, 90).map(lambda x: round(x, 9)),
    style=st.sampled_from(["{!r}", "{:.7f}", "{:.12f}", "{:e}", "+{:.3f}"]),
)
def test_decimals_are_read_like_python_reads_them(lon: float, lat: float, style: str) -> None:
    shown = [style.format(abs(lon)), repr(lat)]
    row = GOOD.replace(b"116.435411287", shown[0].encode()).replace(
        b"39.9098614727", shown[1].encode()
    )
    cells, rejected = parse(GOOD, row)
    if float(shown[0]) == 0 == float(shown[1]):
        assert rejected == {"null_island": 1}
    else:
        assert cells.lon_deg[1] == pytest.approx(float(shown[0]), abs=1e-15, rel=1e-15)
        assert cells.lat_deg[1] == pytest.approx(float(shown[1]), abs=1e-15, rel=1e-15)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(1, 65_533), st.integers(1, 268_435_454)), max_size=30))
def test_whole_numbers_of_every_length_are_read(pairs: list[tuple[int, int]]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows(
        ["LTE", 460, 11, a, c, "", "116.4", "39.9", 100, 5, 1, "", "", ""] for a, c in pairs
    )
    cells, rejected = parse(text.getvalue().encode())
    assert not rejected
    assert list(zip(cells.area.tolist(), cells.cell.tolist(), strict=True)) == pairs
    assert np.isnan(cells.updated_s).all()


def test_columns_may_come_in_another_order_and_some_may_be_missing() -> None:
    table = CellTable(b"lat,lon,radio,mcc,net,area,cell\n")
    cells, rejected = table.parse(b"39.9,116.4,LTE,460,0,1,2\n")
    assert not rejected
    assert (cells.lon_deg[0], cells.lat_deg[0]) == (116.4, 39.9)
    assert np.isnan(cells.range_m[0])
    assert cells.samples[0] == 0
    assert not cells.is_exact[0]


def test_a_file_without_a_header_has_the_published_order() -> None:
    table = CellTable(GOOD)
    assert not table.has_header
    assert len(table.parse(GOOD)[0]) == 1


@pytest.mark.parametrize("line", [b"", b"<html>", b"1,2,3", b"radio,mcc,net,area,cell,unit,lon"])
def test_what_is_no_cell_file_is_refused(line: bytes) -> None:
    with pytest.raises(UnreadableInput):
        CellTable(line)


def test_another_datum_is_converted_once() -> None:
    cells, _ = parse(GOOD, datum=Datum.GCJ02)
    lon, lat = convert_point(
        lon_deg=116.435411287, lat_deg=39.9098614727, source=Datum.GCJ02, target=Datum.WGS84
    )
    assert (cells.lon_deg[0], cells.lat_deg[0]) == (lon, lat)


def test_nothing_in_nothing_out() -> None:
    cells, rejected = parse()
    assert len(cells) == 0
    assert not rejected
