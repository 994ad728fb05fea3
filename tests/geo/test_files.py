import gzip
import io
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.crs import Datum, convert_point
from geo.errors import UnreadableInput
from geo.files import read_fixes, read_text
from geo.fix import FixArray, QualityFlag, Source
from geo.verdict import parse_instant

TST = 1_763_427_600
AT = datetime(2025, 11, 18, 1, 0, tzinfo=UTC)
LOCATION = {"_type": "location", "tst": TST, "lat": 22.5, "lon": 114.0}

GPX = """<?xml version="1.0"?>
<gpx xmlns="http://www.topografix.com/GPX/1/1" version="1.1"><trk><trkseg>
<trkpt lat="22.5" lon="114.0"><ele>12.5</ele><time>2025-11-18T01:00:00Z</time></trkpt>
<trkpt lat="22.6" lon="114.1"><time>2025-11-18T09:01:00+08:00</time></trkpt>
<trkpt lat="22.7" lon="114.2"><time>2025-11-18T01:02:00</time></trkpt>
</trkseg></trk></gpx>"""

PLT = """Geolife trajectory
WGS 84
Altitude is in Feet
Reserved 3
0,2,255,My Track,0,0,2,8421376
0
39.984702,116.318417,0,492,39744.1201851852,2008-10-23,02:53:04
39.984683,116.31845,0,-777,39744.1202546296,2008-10-23,02:53:10
"""


def write(folder: Path, name: str, content: str | bytes) -> str:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return str(path)


def trouble(folder: Path, name: str, content: str | bytes) -> str:
    with pytest.raises(UnreadableInput) as refusal:
        read_fixes(write(folder, name, content))
    assert "\n" not in refusal.value.detail
    assert name in refusal.value.detail
    return refusal.value.detail


def one(folder: Path, **fields: object) -> object:
    (fix,) = read_fixes(write(folder, "a.jsonl", json.dumps(LOCATION | fields)))
    return fix


def test_owntracks_units_become_ours(tmp_path: Path) -> None:
    line = LOCATION | {
        "acc": 14, "vel": 36, "cog": 270, "alt": 30, "batt": 87, "t": "p", "src": "wifi",
        "mock": False, "cells": [],
    }  # fmt: skip
    (fix,) = read_fixes(write(tmp_path, "a.jsonl", json.dumps(line)))
    assert fix.fixed_at == AT
    assert (fix.accuracy_m, fix.speed_mps, fix.course_deg, fix.altitude_m) == (14, 10, 270, 30)
    assert (fix.battery_pct, fix.trigger, fix.source, fix.mock) == (87, "p", Source.WIFI, False)


def test_missing_is_unknown_and_never_zero(tmp_path: Path) -> None:
    fix = read_fixes(write(tmp_path, "a.jsonl", json.dumps(LOCATION)))[0]
    unknown = (fix.accuracy_m, fix.speed_mps, fix.course_deg, fix.altitude_m, fix.battery_pct)
    assert unknown == (None,) * 5
    assert (fix.mock, fix.trigger, fix.received_at) == (None, None, None)


@pytest.mark.parametrize(
    ("field", "value"),
    [("acc", 0), ("acc", -1), ("acc", 1e9), ("vel", -1), ("vel", 5_000), ("cog", 361),
     ("alt", 90_000), ("batt", 300)],
)  # fmt: skip
def test_nonsense_in_a_field_is_nulled_and_flagged(
    tmp_path: Path, field: str, value: float
) -> None:
    line = json.dumps(LOCATION | {field: value})
    (fix,) = read_fixes(write(tmp_path, "a.jsonl", line))
    assert fix.flags == QualityFlag.FIELD_NULLED
    assert {fix.accuracy_m, fix.speed_mps, fix.course_deg, fix.altitude_m, fix.battery_pct} == {
        None
    }


@pytest.mark.parametrize("tst", [str(TST), TST + 0.0, f"{TST}.0"])
def test_time_as_text_or_float(tmp_path: Path, tst: object) -> None:
    line = json.dumps(LOCATION | {"tst": tst})
    assert read_fixes(write(tmp_path, "a.jsonl", line))[0].fixed_at == AT


def test_other_messages_and_blank_lines_are_passed_over(tmp_path: Path) -> None:
    lines = [json.dumps({"_type": "lwt", "tst": TST}), "", json.dumps(LOCATION), "  "]
    assert len(read_fixes(write(tmp_path, "a.jsonl", "\n".join(lines)))) == 1


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"lat": 91}, "not on Earth"),
        ({"lat": 116.3, "lon": 39.9}, "swapped"),
        ({"lat": None}, "lat is missing"),
        ({"lat": "north"}, "lat is not a number"),
        ({"lat": True}, "lat is not a number"),
        ({"lat": [1]}, "lat is not a number"),
        ({"tst": None}, "time is missing"),
        ({"tst": TST * 1000}, "milliseconds"),
        ({"tst": 10**400}, "time"),
        ({"tst": 0}, "epoch"),
        ({"tst": "yesterday"}, "ISO"),
        ({"src": "magic"}, "source"),
        ({"mock": "perhaps"}, "mock"),
        ({"acc": "fine"}, "accuracy_m is not a number"),
    ],
)
def test_bad_lines_are_named(tmp_path: Path, change: dict[str, object], says: str) -> None:
    lines = [json.dumps(LOCATION), json.dumps(LOCATION | change)]
    found = trouble(tmp_path, "a.jsonl", "\n".join(lines))
    assert says in found
    assert ":2:" in found


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{", "line 1 is not JSON"),
        ("[1]", "not a JSON object"),
        ('{"tst":NaN}', "line 1 is not JSON"),
        ("[" * 100_000, "line 1 is not JSON"),
        ("", "no fixes"),
        (b"\xff\xfe\x00", "UTF-8"),
        (b"\x1f\x8bnonsense", "a.jsonl"),
    ],
)
def test_bad_files(tmp_path: Path, content: str | bytes, says: str) -> None:
    assert says in trouble(tmp_path, "a.jsonl", content)


def test_csv_with_iso_or_epoch_and_optional_columns(tmp_path: Path) -> None:
    content = (
        "\ufefftime, lat, lon, accuracy_m, source, speed_mps\n"
        "2025-11-18T09:00:00+08:00,22.5,114.0,12.5,cell,\n"
        f"{TST + 60},22.5,114.0,,,1.5\n"
    )
    first, second = read_fixes(write(tmp_path, "a.csv", content))
    assert (first.fixed_at, first.accuracy_m, first.source) == (AT, 12.5, Source.CELL)
    assert (second.accuracy_m, second.source, second.speed_mps) == (None, Source.GPS, 1.5)


def test_csv_trouble(tmp_path: Path) -> None:
    assert "'lon'" in trouble(tmp_path, "a.csv", "time,lat\n1,2\n")
    assert "'time'" in trouble(tmp_path, "a.csv", "")
    naive = "time,lat,lon\n2025-11-18T01:00:00,22,114\n"
    assert "without zone" in trouble(tmp_path, "a.csv", naive)
    assert "lon is missing" in trouble(tmp_path, "a.csv", "time,lat,lon\n1763427600,22\n")


def test_gpx(tmp_path: Path) -> None:
    fixes = read_fixes(write(tmp_path, "a.gpx", GPX))
    assert [f.fixed_at.minute for f in fixes] == [0, 1, 2]
    assert fixes[0].altitude_m == 12.5
    assert fixes[1].fixed_at.hour == 1


def test_gpx_trouble(tmp_path: Path) -> None:
    bomb = '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]><gpx>&b;</gpx>'
    assert "document type" in trouble(tmp_path, "a.gpx", bomb)
    assert "not XML" in trouble(tmp_path, "a.gpx", "<gpx>")
    untimed = '<gpx><trkpt lat="1" lon="2"></trkpt></gpx>'
    assert "no time" in trouble(tmp_path, "a.gpx", untimed)


def test_plt(tmp_path: Path) -> None:
    first, second = read_fixes(write(tmp_path, "a.plt", PLT))
    assert first.fixed_at == datetime(2008, 10, 23, 2, 53, 4, tzinfo=UTC)
    assert (first.lon_deg, first.lat_deg) == (116.318417, 39.984702)
    assert first.altitude_m == pytest.approx(149.96, abs=0.01)
    assert second.altitude_m is None
    assert "fields" in trouble(tmp_path, "b.plt", PLT + "1,2,3\n")


def test_gz_and_standard_input_recognise_themselves(tmp_path: Path) -> None:
    packed = write(tmp_path, "a.csv.gz", gzip.compress(b"time,lat,lon\n1763427600,22,114\n"))
    assert len(read_fixes(packed)) == 1
    for content in (json.dumps(LOCATION), GPX, PLT, "time,lat,lon\n1763427600,22,114\n"):
        for raw in (content.encode(), gzip.compress(content.encode())):
            assert read_fixes("-", stdin=io.BytesIO(raw))


def test_unknown_names(tmp_path: Path) -> None:
    assert "not one of" in trouble(tmp_path, "a.kml", "<kml/>")
    with pytest.raises(UnreadableInput, match="No such file"):
        read_fixes(str(tmp_path / "none.csv"))
    with pytest.raises(UnreadableInput, match="standard input"):
        read_fixes("-")
    with pytest.raises(UnreadableInput):
        read_text(str(tmp_path))


def test_datum_is_converted_on_reading(tmp_path: Path) -> None:
    there = convert_point(lon_deg=114.0, lat_deg=22.6, source=Datum.WGS84, target=Datum.GCJ02)
    name = write(tmp_path, "a.csv", f"time,lat,lon\n{TST},{there[1]!r},{there[0]!r}\n")
    (fix,) = read_fixes(name, datum=Datum.GCJ02)
    assert (fix.lon_deg, fix.lat_deg) == pytest.approx((114.0, 22.6), abs=1e-9)


def test_the_same_line_twice_is_one_fix(tmp_path: Path) -> None:
    line = json.dumps(LOCATION)
    moved = json.dumps(LOCATION | {"lat": 22.6})
    fixes = read_fixes(write(tmp_path, "a.jsonl", f"{line}\n{moved}\n{line}"))
    assert len(FixArray.from_fixes(fixes)) == 2


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused_in_one_line(raw: bytes) -> None:
    refused: list[str] = []
    for start in (b"", b"{", b"<", b"time,lat,lon\n", b"Geolife trajectory"):
        try:
            read_fixes("-", stdin=io.BytesIO(start + raw))
        except UnreadableInput as refusal:
            refused.append(refusal.detail)
    assert not any("\n" in line for line in refused)


def test_instants_need_a_zone() -> None:
    assert parse_instant("2025-11-18T09:00:00+08:00") == AT
    for text, code in (("2025-11-18T09:00:00", "naive_time"), ("soon", "bad_time")):
        with pytest.raises(UnreadableInput) as refusal:
            parse_instant(text)
        assert refusal.value.code == code
