import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from geo.claims_cli import audit
from geo.visits_cli import visit
from tests.geo.test_claims import DRIVE
from tests.geo.test_cli import lines_of

LINE = {
    "id": "1",
    "kind": "mileage",
    "start": "2026-11-18T01:00:00Z",
    "end": "2026-11-18T04:00:00Z",
    "km": "46.0",
    "stops": [{"lon": 114.0579, "lat": 22.5431, "name": "office"}],
}
PLACE = {"lon": 114.0579, "lat": 22.5431, "radius_m": 5_000}


@pytest.fixture
def fixes(tmp_path: Path) -> Path:
    file = tmp_path / "fixes.jsonl"
    file.write_text("\n".join(lines_of(DRIVE)))
    return file


def ask(tmp_path: Path, fixes: Path, *lines: dict[str, Any], **claim: Any) -> Result:
    file = tmp_path / "claim.json"
    file.write_text(json.dumps({"currency": "CNY", "rate_per_km": "1.20", "lines": lines} | claim))
    return CliRunner().invoke(audit, [str(file), "--fixes", str(fixes)])


def test_a_padded_line_is_over_with_its_evidence(tmp_path: Path, fixes: Path) -> None:
    done = ask(tmp_path, fixes, LINE)
    assert done.exit_code == 0
    answer = json.loads(done.stdout)
    assert answer["verdict"] == "over"
    (line,) = answer["lines"]
    assert line["claimed"] == "46.0"
    assert float(line["feasible"]["low"]) <= float(line["observed"])
    assert float(line["over_by"]) == pytest.approx(46.0 - float(line["feasible"]["high"]))
    assert line["suggested_amount"].count(".") == 1
    assert line["evidence"]["rule"] == "claim"
    assert answer["policy"]["claim"]["tolerance_share"] == 0.1


def test_every_kind_of_line_is_read(tmp_path: Path, fixes: Path) -> None:
    night = {"id": "2", "kind": "night", "on": "2026-11-18", "zone": "Asia/Shanghai"}
    days = {"id": "3", "kind": "per_diem", "from": "2026-11-18", "to": "2026-11-18"}
    ride = {"id": "4", "kind": "transport", "mode": "train", "from": PLACE, "to": PLACE}
    done = ask(
        tmp_path,
        fixes,
        LINE,
        night | {"place": PLACE},
        days | {"place": PLACE},
        ride | {"start": LINE["start"], "end": LINE["end"]},
    )
    assert [line["id"] for line in json.loads(done.stdout)["lines"]] == ["1", "2", "3", "4"]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ({"kind": "mileage"}, "id"),
        (LINE | {"km": 46.0}, "decimal in quotes"),
        (LINE | {"km": "NaN"}, "out of range"),
        (LINE | {"km": "-1"}, "out of range"),
        (LINE | {"kind": "taxi"}, "kind is"),
        (LINE | {"start": "yesterday"}, "yesterday"),
        (LINE | {"end": LINE["start"]}, "after it starts"),
        (LINE | {"stops": [{"lon": 190, "lat": 0}]}, "on Earth"),
        (LINE | {"stops": [{"lon": True, "lat": 0}]}, "numbers"),
        ({"id": "1", "kind": "night", "on": "2026-02-30", "place": PLACE}, "not a date"),
        ({"id": "1", "kind": "night", "on": "2026-02-03", "zone": "Moon", "place": PLACE}, "Moon"),
        ({"id": "1", "kind": "night", "on": "2026-02-03"}, "place is missing"),
    ],
)
def test_bad_lines_are_one_line_and_status_2(
    tmp_path: Path, fixes: Path, line: dict[str, Any], says: str
) -> None:
    done = ask(tmp_path, fixes, line)
    assert done.exit_code == 2
    assert says in done.stderr
    assert done.stderr.count("\n") == 1


def test_claims_without_lines_or_with_two_of_one_name_are_refused(
    tmp_path: Path, fixes: Path
) -> None:
    assert ask(tmp_path, fixes).exit_code == 2
    assert "same id" in ask(tmp_path, fixes, LINE, LINE).stderr
    assert "three letters" in ask(tmp_path, fixes, LINE, currency="yuan").stderr


def test_a_visit_is_judged_on_the_command_line(fixes: Path) -> None:
    window = "2026-11-18T01:00:00Z/2026-11-18T04:00:00Z"
    there = ["--site", "114.0579,22.5431", "--radius", "100", "--window", window]
    done = CliRunner().invoke(visit, [str(fixes), *there])
    assert json.loads(done.stdout)["verdict"] == "verified"
    for bad in (["--site", "x"], ["--radius", "nan"], ["--window", "today"], ["--type", "warm"]):
        refused = CliRunner().invoke(visit, [str(fixes), *there, *bad])
        assert refused.exit_code == 2
        assert refused.stderr.count("\n") == 1
