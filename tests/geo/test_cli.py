import gzip
import json
import random
from datetime import timedelta
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

import geo.cli
from geo.fix import Fix, to_epoch_s
from geo.policy import Policy
from geo.verdict import format_utc
from tests.geo.scenes import DUTY, FENCE, left_for, minute, stay, walk

outpost = click.Group("outpost")
for command in (geo.cli.track, geo.cli.presence, geo.cli.datum):
    outpost.add_command(command)

SPAN = f"{format_utc(DUTY.start)}/{format_utc(DUTY.end)}"


def run(*arguments: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(outpost, arguments, input=stdin)


def refused(*arguments: str, stdin: str | None = None) -> str:
    result = run(*arguments, stdin=stdin)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    return result.stderr


def lines_of(fixes: list[Fix]) -> list[str]:
    return [
        json.dumps(
            {
                "_type": "location",
                "tst": to_epoch_s(f.fixed_at),
                "lat": f.lat_deg,
                "lon": f.lon_deg,
                "acc": f.accuracy_m,
                "src": f.source.value,
            }
        )
        for f in fixes
    ]


@pytest.fixture
def post(tmp_path: Path) -> str:
    path = tmp_path / "post.geojson"
    path.write_text(json.dumps(FENCE.to_geojson()))
    return str(path)


def answer(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.stderr
    document = json.loads(result.stdout)
    assert isinstance(document, dict)
    return document


VISIT = [*stay(0, 60), *walk(60, 75, 0, 1_500), *stay(75, 120, east_m=1_500), *stay(300, 330)]


def test_track_answers_by_contract() -> None:
    found = answer(run("track", "-", "--path", stdin="\n".join(lines_of(VISIT))))
    assert list(found) == [
        "fixes", "used", "flags", "start", "end", "coverage", "distance_m", "segments",
        "algorithm_version", "policy",
    ]  # fmt: skip
    assert found["fixes"] == found["used"] == len(VISIT)
    assert found["start"] == "2026-11-18T01:00:00Z"
    assert set(found["distance_m"]) == {"low", "mid", "high"}
    assert [s["kind"] for s in found["segments"]] == ["stop", "trip", "stop", "gap", "stop"]
    stop, trip, there, gap, _ = found["segments"]
    assert set(stop) == {
        "kind", "start", "end", "lon", "lat", "radius_m", "observed_s", "inferred_s", "fixes",
    }  # fmt: skip
    assert set(trip) == {"kind", "start", "end", "distance_m", "fixes", "path"}
    assert len(trip["path"]) == trip["fixes"]
    assert trip["path"][0] == [stop["lon"], stop["lat"]]
    assert trip["path"][-1] == [there["lon"], there["lat"]]
    assert set(gap) == {"kind", "start", "end", "cause"}
    assert found["policy"] == Policy().to_json()
    without = answer(run("track", "-", stdin="\n".join(lines_of(VISIT))))
    assert "path" not in without["segments"][1]


def test_presence_answers_by_contract(post: str, tmp_path: Path) -> None:
    file = tmp_path / "day.jsonl"
    file.write_text("\n".join(lines_of([*left_for(15, leaving_at=60)])))
    found = answer(run("presence", str(file), "--post", post, "--duty", SPAN))
    assert {"intervals", "off_post", "gaps", "coverage"} <= set(found)
    assert [i["state"] for i in found["intervals"]] == ["inside", "outside", "inside"]
    assert found["intervals"][0]["start"] == format_utc(DUTY.start)
    assert found["intervals"][-1]["end"] == format_utc(DUTY.end)
    (absence,) = found["off_post"]
    assert {
        "start", "end", "duration_s", "max_distance_m", "margin_m", "confidence", "fixes",
    } <= set(absence)  # fmt: skip
    assert 800 < absence["duration_s"] < 1_100
    assert {"fixed_at", "lon", "lat", "accuracy_m", "source", "distance_m"} == set(
        absence["fixes"][0]
    )
    assert found["policy"]["off_post"]["min_outside_s"] == 600.0


def test_presence_tells_crossings_probability_and_what_the_break_budget_bears(
    post: str, tmp_path: Path
) -> None:
    lines = "\n".join(lines_of(left_for(45, leaving_at=60)))
    ask = ["presence", "-", "--post", post, "--duty", SPAN]
    found = answer(run(*ask, stdin=lines))
    assert [c["kind"] for c in found["crossings"]] == ["leave", "enter"]
    assert [c["at"] for c in found["crossings"]] == [i["start"] for i in found["intervals"][1:]]
    assert all(0.9 < i["probability"] <= 1.0 for i in found["intervals"])
    (absence,) = found["off_post"]
    assert "breaks" not in absence
    policy = tmp_path / "policy.json"
    policy.write_text('{"off_post": {"break_budget_s": 1800}}')
    (shorter,) = answer(run(*ask, "--policy", str(policy), stdin=lines))["off_post"]
    assert shorter["duration_s"] == absence["duration_s"] - 1_800.0
    assert shorter["breaks"] == [{"start": absence["start"], "end": shorter["start"]}]
    policy.write_text('{"off_post": {"break_budget_s": 3600}}')
    assert answer(run(*ask, "--policy", str(policy), stdin=lines))["off_post"] == []


def test_presence_with_excuse_as_of_and_two_windows(post: str) -> None:
    lines = "\n".join(lines_of(left_for(15, leaving_at=60)))
    excuse = f"{format_utc(minute(55))}/{format_utc(minute(80))}"
    ask = ["presence", "-", "--post", post, "--duty", SPAN]
    assert answer(run(*ask, "--excused", excuse, stdin=lines))["off_post"] == []
    before = f"{format_utc(minute(10))}/{format_utc(minute(20))}"
    assert len(answer(run(*ask, "--excused", before, stdin=lines))["off_post"]) == 1
    assert answer(run(*ask, "--excused", before, excuse, stdin=lines))["off_post"] == []
    live = answer(run(*ask, "--as-of", format_utc(minute(73)), stdin=lines))
    assert live["off_post"][0]["end"] is None
    later = f"{format_utc(DUTY.end)}/{format_utc(DUTY.end + timedelta(hours=1))}"
    both = answer(run(*ask, "--duty", later, stdin=lines))
    assert both["intervals"][-1] == {
        "state": "unknown",
        "start": format_utc(DUTY.end),
        "end": format_utc(DUTY.end + timedelta(hours=1)),
    }


@pytest.mark.parametrize("command", ["track", "presence"])
def test_same_bytes_whatever_the_order_of_lines(command: str, post: str) -> None:
    more = ["--post", post, "--duty", SPAN] if command == "presence" else ["--path"]
    lines = lines_of([*left_for(15), *left_for(15)])
    first = run(command, "-", *more, stdin="\n".join(lines)).stdout_bytes
    random.Random(5).shuffle(lines)
    assert run(command, "-", *more, stdin="\n".join(lines)).stdout_bytes == first


def conflicting(fixes: list[Fix]) -> list[dict[str, Any]]:
    """Two rows about each fix, with the same time and place and different claims."""
    rows = []
    for i, each in enumerate(fixes):
        row = {"time": to_epoch_s(each.fixed_at), "lat": each.lat_deg, "lon": each.lon_deg}
        rows.append({**row, "accuracy_m": 5.0, "speed_mps": 2.0, "battery_pct": 40 + i % 5})
        rows.append({**row, "accuracy_m": 7.0, "speed_mps": 1.0, "battery_pct": 40 + i % 7})
    return rows


def as_csv(rows: list[dict[str, Any]]) -> str:
    lines = [",".join(rows[0]), *(",".join(map(str, row.values())) for row in rows)]
    return "\n".join(lines)


def as_jsonl(rows: list[dict[str, Any]]) -> str:
    names = {"time": "tst", "accuracy_m": "acc", "speed_mps": "vel", "battery_pct": "batt"}
    return "\n".join(json.dumps({names.get(k, k): v for k, v in row.items()}) for row in rows)


@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz", ".csv", ".csv.gz"])
@pytest.mark.parametrize("command", ["track", "presence"])
def test_lines_that_contradict_each_other_give_the_same_bytes_in_any_order(
    command: str, suffix: str, post: str, tmp_path: Path
) -> None:
    more = ["--post", post, "--duty", SPAN] if command == "presence" else ["--path"]
    rows = conflicting(left_for(15))
    orders = [rows, rows[::-1], random.Random(6).sample(rows, len(rows))]
    found = []
    for order in orders:
        file = tmp_path / f"day{suffix}"
        raw = (as_csv if ".csv" in suffix else as_jsonl)(order).encode()
        file.write_bytes(gzip.compress(raw) if suffix.endswith(".gz") else raw)
        found.append(run(command, str(file), *more).stdout_bytes)
    assert found[0] == found[1] == found[2]
    document = json.loads(found[0])
    if command == "presence":
        (absence,) = document["off_post"]
        assert {each["accuracy_m"] for each in absence["fixes"]} == {5.0}


def test_policy_file_changes_the_answer_and_is_part_of_it(post: str, tmp_path: Path) -> None:
    policy = tmp_path / "policy.json"
    policy.write_text('{"version": "strict", "off_post": {"min_outside_s": 60}}')
    lines = "\n".join(lines_of(left_for(7)))
    ask = ["presence", "-", "--post", post, "--duty", SPAN]
    assert answer(run(*ask, stdin=lines))["off_post"] == []
    strict = answer(run(*ask, "--policy", str(policy), stdin=lines))
    assert len(strict["off_post"]) == 1
    assert strict["policy"]["version"] == "strict"
    assert strict["policy"]["off_post"]["min_outside_s"] == 60.0


def test_wrong_datum_moves_people_off_their_post(post: str) -> None:
    lines = "\n".join(lines_of(stay(0, 480)))
    ask = ["presence", "-", "--post", post, "--duty", SPAN]
    assert answer(run(*ask, stdin=lines))["off_post"] == []
    shifted = answer(run(*ask, "--datum", "gcj02", stdin=lines))
    assert len(shifted["off_post"]) == 1


def test_placeholders_prove_no_absence(post: str) -> None:
    nowhere = [
        json.dumps({"_type": "location", "tst": to_epoch_s(minute(i)), "lat": 0, "lon": 0})
        for i in range(60, 100)
    ]
    lines = [*lines_of(stay(0, 60)), *nowhere, *lines_of(stay(100, 480))]
    found = answer(run("presence", "-", "--post", post, "--duty", SPAN, stdin="\n".join(lines)))
    assert found["off_post"] == []
    assert [g["cause"] for g in found["gaps"]] == ["no_position"]


def test_datum_converts_lines() -> None:
    there = run("datum", "--from", "wgs84", "--to", "gcj02", stdin="116.39747,39.908823\n")
    assert there.stdout == "116.403713582,39.910226498\n"
    back = run("datum", "--from", "gcj02", "--to", "wgs84", stdin="lon,lat\n" + there.stdout)
    assert back.stdout == "lon,lat\n116.397470000,39.908823000\n"
    abroad = run("datum", "--from", "bd09", "--to", "wgs84", stdin="24.945,60.17\n\n")
    assert abroad.stdout == "24.945000000,60.170000000\n"
    assert run("datum", "--from", "bd09", "--to", "wgs84", stdin="").stdout == ""


def test_bad_input_is_one_line_and_status_2(post: str, tmp_path: Path) -> None:
    good = "\n".join(lines_of(stay(0, 5)))
    bow = tmp_path / "bow.geojson"
    bow.write_text('{"type":"Polygon","coordinates":[[[0,0],[1,1],[1,0],[0,1],[0,0]]]}')
    text = tmp_path / "text.geojson"
    text.write_text("fence")
    assert "No such file" in refused("track", "absent.csv")
    assert "no fixes" in refused("track", "-", stdin='{"_type":"lwt"}')
    assert "--bogus" in refused("track", "-", "--bogus", stdin=good)
    assert "FILE" in refused("track")
    assert "no such file" in refused("track", "-", "--roads", "tiles.tar", stdin=good)
    assert "nonsense" in refused("track", "-", "--datum", "nonsense", stdin=good)
    assert "No such file" in refused("track", "-", "--policy", "absent.json", stdin=good)
    assert "intersection" in refused(
        "presence", "-", "--post", str(bow), "--duty", SPAN, stdin=good
    )
    assert "not JSON" in refused("presence", "-", "--post", str(text), "--duty", SPAN, stdin=good)
    ask = ["presence", "-", "--post", post, "--duty"]
    assert "START/END" in refused(*ask, "today", stdin=good)
    assert "after it starts" in refused(*ask, "/".join(reversed(SPAN.split("/"))), stdin=good)
    assert "zone" in refused(*ask, "2026-11-18T01:00:00/2026-11-18T02:00:00", stdin=good)
    assert "overlap" in refused(*ask, SPAN, "--duty", SPAN, stdin=good)
    assert "line 1" in refused("datum", "--from", "gcj02", "--to", "wgs84", stdin="here\n")
    assert "Earth" in refused("datum", "--from", "gcj02", "--to", "wgs84", stdin="1,200\n")


@pytest.mark.parametrize("command", ["track", "presence", "datum"])
def test_help_names_units_and_defaults(command: str) -> None:
    text = run(command, "--help").output
    assert "degrees" in text
    if command != "datum":
        assert "metres" in text
        assert "max_gap_s = " in text
