"""The command `what-if`, on files and on stored days."""

import json
import os
import random
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import text

from fixtures.stack import DatabaseUrls, Stack
from geo.fix import Fix, to_epoch_s
from geo.verdict import format_utc
from server.clock import SystemClock
from server.main.what_if import what_if
from tests.factories.company import Company, company
from tests.factories.phones import Phone, at_post, away, minutes
from tests.geo.scenes import DUTY, FENCE, left_for

CHECKOUT = Path(__file__).resolve().parents[3]
SPAN = f"{format_utc(DUTY.start)}/{format_utc(DUTY.end)}"


def lines_of(fixes: list[Fix]) -> list[str]:
    return [
        json.dumps(
            {
                "_type": "location",
                "tst": to_epoch_s(f.fixed_at),
                "lat": f.lat_deg,
                "lon": f.lon_deg,
                "acc": f.accuracy_m,
            }
        )
        for f in fixes
    ]


@pytest.fixture
def post(tmp_path: Path) -> str:
    path = tmp_path / "post.geojson"
    path.write_text(json.dumps(FENCE.to_geojson()))
    return str(path)


def run(*arguments: str, fixes: list[str] | None = None) -> Result:
    return CliRunner().invoke(what_if, arguments, input="\n".join(fixes or []))


def answer(*arguments: str, fixes: list[str]) -> dict[str, Any]:
    result = run("-", *arguments, "--duty", SPAN, fixes=fixes)
    assert result.exit_code == 0, result.output
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def test_a_file_is_judged_twice_and_compared(post: str, tmp_path: Path) -> None:
    fixes = lines_of(left_for(minutes=25))
    said = answer("--post", post, "--set", "off_post.min_outside_s=1800", fixes=fixes)
    assert said["totals"] == {"appeared": 0, "disappeared": 1, "longer": 0, "shorter": 0}
    assert (len(said["before"]["off_post"]), said["after"]["off_post"]) == (1, [])
    (flip,) = said["flips"]
    assert flip["before_s"] == said["before"]["off_post"][0]["duration_s"]
    assert said["after"]["policy"]["off_post"]["min_outside_s"] == 1800
    # The other way round: what is in force is the strict rule.
    old, new = tmp_path / "old.json", tmp_path / "new.json"
    old.write_text('{"version": "strict", "off_post": {"min_outside_s": 1800}}')
    new.write_text('{"off_post": {"min_outside_s": 600}}')
    said = answer("--post", post, "--policy", str(old), "--try", str(new), fixes=fixes)
    assert said["before"]["policy"]["version"] == "strict"
    assert said["totals"]["appeared"] == 1
    said = answer("--post", post, "--policy", str(old), "--dwell", "900", fixes=fixes)
    assert said["totals"]["appeared"] == 1


def test_radius_and_buffer_of_the_post_are_tried(post: str) -> None:
    fixes = lines_of(left_for(minutes=25))
    for terms in (("--radius", "20000"), ("--buffer", "9000")):
        said = answer("--post", post, *terms, fixes=fixes)
        assert said["totals"]["disappeared"] == 1, terms
    said = answer("--post", post, "--radius", "100", "--set", "off_post.min_fixes=2", fixes=fixes)
    assert said["flips"] == []


def test_the_same_bytes_whatever_the_order_of_lines(post: str) -> None:
    fixes = lines_of(left_for(minutes=25))
    shuffled = random.Random(1).sample(fixes, len(fixes))
    arguments = ("-", "--post", post, "--duty", SPAN, "--dwell", "1800")
    assert run(*arguments, fixes=fixes).stdout == run(*arguments, fixes=shuffled).stdout


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("-", "--tenant", "acme", "--dwell", "1"),
        ("-", "--duty", SPAN, "--dwell", "1"),
        ("-", "--post", "{post}", "--duty", SPAN),
        ("-", "--post", "{post}", "--duty", SPAN, "--set", "dwell=900"),
        ("-", "--post", "{post}", "--duty", SPAN, "--set", "off_post.min_outside_s=soon"),
        ("-", "--post", "{post}", "--duty", SPAN, "--set", "off_post.unheard_of=1"),
        ("-", "--post", "{post}", "--duty", SPAN, "--set", "off_post.settle_s=-1"),
        ("-", "--post", "{post}", "--duty", SPAN, "--radius", "5"),
        ("-", "--post", "{post}", "--duty", SPAN, "--radius", "wide"),
        ("-", "--post", "{post}", "--duty", "today", "--dwell", "1"),
        ("-", "--post", "{post}", "--duty", SPAN, "--try", "/no/such/file"),
        ("-", "--post", "{post}", "--duty", SPAN, "--dwell", "1", "--from", "2026-11-01"),
        ("--tenant", "acme", "--dwell", "1", "--duty", SPAN),
        ("--tenant", "acme", "--dwell", "1", "--from", "soon"),
    ],
)
def test_bad_input_is_one_line_and_status_2(post: str, arguments: tuple[str, ...]) -> None:
    result = run(
        *(each.format(post=post) for each in arguments), fixes=lines_of(left_for(minutes=25))
    )
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (2, "", 1)


def test_help_names_units() -> None:
    said = run("--help").output
    assert "off_post.min_outside_s = 600" in said
    assert "metres" in said
    assert "seconds" in said


def outpost(*arguments: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("OUTPOST_")}
    return subprocess.run(
        [sys.executable, "-c", "from server.main.cli import main; main()", "what-if", *arguments],
        cwd=CHECKOUT,
        env={**clean, **env},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def absent_yesterday(acme: Company) -> Phone:
    """Somebody who was away from the post for a quarter of an hour yesterday."""
    now = SystemClock().now()
    acme.clock.at = now - timedelta(days=3)
    employee_id = acme.hire()
    yesterday = (now + timedelta(hours=8)).date() - timedelta(days=1)
    with acme.owner.begin() as connection:
        connection.execute(
            text("UPDATE post_versions SET valid_from_at = :at"), {"at": now - timedelta(days=9)}
        )
    entry_id = acme.roster(employee_id, on_date=yesterday)
    who = Phone(acme, employee_id, acme.give_phone(employee_id), entry_id, yesterday)
    with acme.transaction() as session:
        nine = session.execute(
            text("SELECT starts_at FROM roster_entries WHERE id = :id"), {"id": entry_id}
        ).scalar_one()
    who.send(
        [
            *at_post(who, nine, nine + minutes(60)),
            *away(who, nine + minutes(60), nine + minutes(75)),
            *at_post(who, nine + minutes(75), nine + minutes(500)),
        ]
    )
    return who


def test_stored_days_are_replayed_and_the_look_is_noted(
    stack: Stack, database: DatabaseUrls
) -> None:
    env = stack.settings_env(database)
    with company(database) as acme:
        who = absent_yesterday(acme)
        done = outpost(
            "--tenant", "acme", "--set", "off_post.min_outside_s=1800", "--unit", "东区", env=env
        )
        assert done.returncode == 0, done.stderr
        (line,) = [json.loads(each) for each in done.stdout.splitlines()]
        assert (line["kind"], line["work_on"]) == ("disappeared", who.work_on.isoformat())
        assert line["before_s"] >= 840
        sums = json.loads(done.stderr)
        assert (sums["days"], sums["disappeared"], sums["appeared"]) == (1, 1, 0)
        wide = outpost("--tenant", "acme", "--post", "外滩营业厅", "--radius", "900", env=env)
        assert json.loads(wide.stdout)["kind"] == "disappeared"
        with acme.transaction() as session:
            looks = session.execute(
                text("SELECT subject_id, actor_name, purpose, view FROM access_log")
            ).all()
        assert looks == [(who.employee_id, "outpost what-if", "policy_trial", "what_if")]
        before = outpost(
            "--tenant",
            "acme",
            "--dwell",
            "60",
            "--post",
            "外滩营业厅",
            "--to",
            "2026-01-01",
            env=env,
        )
        assert (before.returncode, before.stdout) == (0, "")
        for wrong in (
            ("--tenant", "nobody", "--set", "off_post.settle_s=1"),
            ("--tenant", "acme", "--set", "visit.min_fixes=1"),
            ("--tenant", "acme", "--set", "off_post.min_fixes=0"),
            ("--tenant", "acme", "--post", "nowhere", "--dwell", "60"),
            ("--tenant", "acme", "--dwell", "60"),
            ("--tenant", "acme", "--set", "off_post.settle_s=1", "--unit", "nowhere"),
        ):
            refused = outpost(*wrong, env=env)
            assert (refused.returncode, refused.stdout) == (2, "")
            assert len(refused.stderr.splitlines()) == 1
