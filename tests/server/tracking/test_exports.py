import csv
import io
import json
import xml.etree.ElementTree as ET
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.tracking.exports import CSV_HEADER, csv_lines, csv_row, geojson_lines, gpx_lines
from server.tracking.queries import FixColumns

GPX = "{http://www.topografix.com/GPX/1/1}"


def track(times: list[float]) -> FixColumns:
    count = len(times)
    return FixColumns(
        fixed_at=[1_763_000_000.0 + t for t in times],
        lon=[121.4737 + 0.001 * no for no in range(count)],
        lat=[-31.2304] * count,
        accuracy_m=[8.0] * count,
        speed_mps=[None] * count,
        battery_pct=[80.0] * count,
        source=["gps"] * count,
        flags=[("late", "jump")] * count,
        key=[f"{no:016x}" for no in range(count)],
        total=count,
    )


def parsed(lines: Iterable[str]) -> ET.Element:
    return ET.fromstring("".join(lines))  # noqa: S314  # our own document


def test_gpx_breaks_where_silence_is() -> None:
    document = parsed(gpx_lines(track([0, 60, 2_000, 2_060, 2_120]), name="王芳 <1>"))
    segments = document.findall(f"{GPX}trk/{GPX}trkseg")
    assert [len(segment) for segment in segments] == [2, 3]
    assert document.findtext(f"{GPX}trk/{GPX}name") == "王芳 <1>"
    first = segments[0][0]
    assert first.attrib == {"lat": "-31.2304000", "lon": "121.4737000"}
    assert first.findtext(f"{GPX}time") == "2025-11-13T02:13:20Z"


def test_gpx_survives_any_name() -> None:
    parsed(gpx_lines(track([0]), name="\x00\x1b]]>&\"'"))


def test_geojson_has_a_line_per_stretch_and_a_point_per_fix() -> None:
    document = json.loads("".join(geojson_lines(track([0, 60, 2_000, 5_000, 5_060]), name="x")))
    kinds = [feature["geometry"]["type"] for feature in document["features"]]
    assert kinds == ["LineString"] * 2 + ["Point"] * 5
    assert document["features"][0]["geometry"]["coordinates"][0] == [121.4737, -31.2304]


def test_nothing_measured_is_a_valid_file_all_the_same() -> None:
    assert json.loads("".join(geojson_lines(track([]), name="x")))["features"] == []
    assert len(parsed(gpx_lines(track([]), name="x"))) == 1
    assert "".join(csv_lines(track([]))).startswith("\ufefftime,lon,lat")


def test_csv_reads_back() -> None:
    text = "".join(csv_lines(track([0, 60])))
    rows = list(csv.reader(io.StringIO(text.removeprefix("\ufeff"))))
    assert tuple(rows[0]) == CSV_HEADER
    assert rows[1] == [
        "2025-11-13T02:13:20Z",
        "121.4737",
        "-31.2304",
        "8.0",
        "",
        "80.0",
        "gps",
        "late jump",
    ]


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "\u3000=1", "\n=1"]
)
def test_text_never_becomes_a_formula(text: str) -> None:
    [[cell]] = csv.reader(io.StringIO(csv_row([text])))
    assert cell == f"'{text}"


def test_numbers_stay_numbers() -> None:
    assert csv_row([-12.5, None, 3]) == "-12.5,,3\r\n"


@given(cells=st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=2, max_size=4))
def test_any_text_comes_back_as_it_was_or_guarded(cells: list[str]) -> None:
    [read] = csv.reader(io.StringIO(csv_row(cells), newline=""))
    assert [cell.removeprefix("'") for cell in read] == [cell.removeprefix("'") for cell in cells]
    assert not any(cell.strip(" \u00a0\u3000")[:1] in {"=", "+", "-", "@"} for cell in read if cell)
