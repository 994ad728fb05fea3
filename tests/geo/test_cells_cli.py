import csv
import gzip
import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from geo.cell_table import COLUMNS
from geo.cells_cli import locate
from geo.crs import Datum, convert_point
from geo.distance import geodesics_m
from geo.geolocate import NOT_FOUND

HEADER = ",".join(COLUMNS)
ROWS = [
    "LTE,460,0,9711,4253836,,113.832036,22.602073,420,60,1,1700000000,1750000000,-90",
    "LTE,460,0,9711,4253837,,113.838036,22.602073,380,40,1,1700000000,1750000000,-90",
    "GSM,460,0,10365,8120,,114.409285,23.111668,900,30,1,1700000000,1750000000,-90",
]
TOWER = {"radioType": "lte", "mobileCountryCode": 460, "mobileNetworkCode": 0,
         "locationAreaCode": 9711, "cellId": 4253836}  # fmt: skip


def asked(*towers: dict[str, Any]) -> str:
    return json.dumps({"cellTowers": list(towers)}) + "\n"


def run(path: Path, queries: str, *options: str) -> Result:
    return CliRunner().invoke(locate, [str(path), *options], input=queries)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "cells.csv"
    path.write_text("\n".join([HEADER, *ROWS]) + "\n")
    return path


def answers(result: Result) -> list[dict[str, Any]]:
    assert result.exit_code == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_each_request_is_answered_on_its_own_line(table: Path) -> None:
    unknown = TOWER | {"cellId": 7}
    elsewhere = TOWER | {"locationAreaCode": 1, "cellId": 7}
    found = answers(run(table, asked(TOWER) + "\n" + asked(unknown) + asked(elsewhere) + "{}\n"))
    assert found[0]["location"] == {"lat": 22.602073, "lng": 113.832036}
    assert 420 <= found[0]["accuracy"] <= 1_000
    assert "fallback" not in found[0]
    assert found[1]["fallback"] == "lacf"
    assert found[1]["accuracy"] > 10_000
    assert found[2:] == [NOT_FOUND, NOT_FOUND]


def test_the_order_of_the_file_and_its_packing_never_matter(table: Path, tmp_path: Path) -> None:
    queries = asked(TOWER, TOWER | {"cellId": 4253837}) + asked(TOWER | {"cellId": 1})
    plain = run(table, queries).stdout
    for seed in range(5):
        rows = list(ROWS)
        random.Random(seed).shuffle(rows)
        packed = tmp_path / "shuffled.csv.gz"
        packed.write_bytes(gzip.compress("\r\n".join([HEADER, *rows]).encode()))
        assert run(packed, queries).stdout == plain


def test_a_file_without_header_reads_the_same(table: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare.csv"
    bare.write_text("\n".join(ROWS))
    assert run(bare, asked(TOWER)).stdout == run(table, asked(TOWER)).stdout


def test_an_area_can_be_declined(table: Path) -> None:
    query = json.dumps({"cellTowers": [TOWER | {"cellId": 7}], "fallbacks": {"lacf": False}})
    assert answers(run(table, query)) == [NOT_FOUND]


def test_a_file_in_a_chinese_datum_is_converted(table: Path) -> None:
    found = answers(run(table, asked(TOWER), "--datum", "gcj02"))[0]["location"]
    lon, lat = convert_point(
        lon_deg=113.832036, lat_deg=22.602073, source=Datum.GCJ02, target=Datum.WGS84
    )
    assert found == {"lat": round(lat, 7), "lng": round(lon, 7)}


def test_rows_that_are_no_cells_are_left_out_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "cells.csv"
    path.write_text("\n".join([HEADER, *ROWS, ROWS[0].replace("9711", "65535")]))
    result = run(path, asked(TOWER))
    assert len(answers(result)) == 1
    assert "1 rows left out: area_reserved" in result.stderr


def test_a_policy_overrides_thresholds(table: Path, tmp_path: Path) -> None:
    policy = tmp_path / "policy.json"
    policy.write_text('{"cells": {"floor_m": 2500, "reach_m": {"lte": 900}}}')
    found = answers(run(table, asked(TOWER), "--policy", str(policy)))[0]
    assert found["accuracy"] == 2500


@pytest.mark.parametrize(
    "content",
    ["[]", "x", '{"cells": 1}', '{"cells": {"floor": 1}}', '{"cells": {"floor_m": 0}}',
     '{"cells": {"floor_m": true}}', '{"cells": {"reach_m": {"wimax": 1}}}'],
)  # fmt: skip
def test_a_bad_policy_is_one_line_and_exit_2(table: Path, tmp_path: Path, content: str) -> None:
    policy = tmp_path / "policy.json"
    policy.write_text(content)
    result = run(table, asked(TOWER), "--policy", str(policy))
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (2, "", 1)


@pytest.mark.parametrize(
    "content",
    ["", "hello\n", HEADER + "\n", HEADER + "\nGSM,460,0\n", HEADER + "\n" + ROWS[0] + "\na,b\n",
     HEADER + "\n" + ROWS[0].replace("113.832036", "x") + "\n"],
)  # fmt: skip
def test_a_bad_file_is_one_line_and_exit_2(tmp_path: Path, content: str) -> None:
    path = tmp_path / "cells.csv"
    path.write_text(content)
    result = run(path, asked(TOWER))
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (2, "", 1)


@pytest.mark.parametrize("line", ["not json", "[]", '"x"', '{"cellTowers": 5}', "[" * 100_000])
def test_a_bad_request_is_one_line_and_exit_2_before_any_answer(table: Path, line: str) -> None:
    result = run(table, asked(TOWER) + line + "\n")
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (2, "", 1)
    assert "line 2" in result.stderr


def test_a_missing_file_is_one_line_and_exit_2(tmp_path: Path) -> None:
    result = run(tmp_path / "none.csv", asked(TOWER))
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)


@pytest.mark.data
def test_real_fixes_lie_within_the_circles_of_their_cells(reference_data: Path) -> None:
    with (reference_data / "cells" / "test_fixes.csv").open() as lines:
        fixes = list(csv.DictReader(lines))
    queries = "".join(
        asked(
            {"radioType": "lte", "mobileCountryCode": int(f["mcc"]), "cellId": int(f["eci"]),
             "mobileNetworkCode": int(f["mnc"]), "locationAreaCode": int(f["tac"]),
             "signalStrength": int(f["signal"])}
        )
        for f in fixes
    )  # fmt: skip
    found = answers(run(reference_data / "cells" / "cells_train_mls_format.csv", queries))
    pairs = [(a, f) for a, f in zip(found, fixes, strict=True) if "location" in a]
    assert len(pairs) >= 0.98 * len(fixes)
    off_m = geodesics_m(
        lon1_deg=[a["location"]["lng"] for a, _ in pairs],
        lat1_deg=[a["location"]["lat"] for a, _ in pairs],
        lon2_deg=[float(f["true_lon"]) for _, f in pairs],
        lat2_deg=[float(f["true_lat"]) for _, f in pairs],
    )
    assert np.percentile(off_m, 50) <= 150
    assert np.percentile(off_m, 95) <= 400
    covered = off_m <= np.array([a["accuracy"] for a, _ in pairs])
    assert covered.mean() >= 0.95


@pytest.mark.data
def test_removed_cells_answer_with_an_area_that_holds_them(
    reference_data: Path, tmp_path: Path
) -> None:
    with (reference_data / "cells" / "cells_train_mls_format.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    held = 0
    for gone in rows[::9]:
        path = tmp_path / "rest.csv"
        with path.open("w", newline="") as out:
            writer = csv.DictWriter(out, fieldnames=list(COLUMNS))
            writer.writeheader()
            writer.writerows(row for row in rows if row is not gone)
        tower = {"radioType": "lte", "mobileCountryCode": int(gone["mcc"]),
                 "mobileNetworkCode": int(gone["net"]), "locationAreaCode": int(gone["area"]),
                 "cellId": int(gone["cell"])}  # fmt: skip
        found = answers(run(path, asked(tower)))[0]
        assert found["fallback"] == "lacf"
        off_m = geodesics_m(
            lon1_deg=found["location"]["lng"], lat1_deg=found["location"]["lat"],
            lon2_deg=float(gone["lon"]), lat2_deg=float(gone["lat"]),
        )  # fmt: skip
        held += bool(off_m <= found["accuracy"])
    assert held >= 0.95 * len(rows[::9])
