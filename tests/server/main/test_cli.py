"""The command `outpost`: lazy, friendly, and able to set up a company."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text

from fixtures.stack import DatabaseUrls, Stack
from fixtures.stack.ports import free_port
from server.db.engine import make_engine, make_session_factory
from server.db.session import unit_of_work
from server.main.cli import _COMMANDS, run

CHECKOUT = Path(__file__).resolve().parents[3]


def outpost(
    *arguments: str, env: Mapping[str, str] | None = None, stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("OUTPOST_")}
    return subprocess.run(
        [sys.executable, "-c", "from server.main.cli import main; main()", *arguments],
        cwd=CHECKOUT,
        env={**clean, **(env or {})},
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_help_imports_nothing_heavy() -> None:
    script = (
        "import sys; from server.main.cli import run; run(['--help']); "
        "print([m for m in ('flask', 'sqlalchemy', 'redis', 'paho', 'shapely', 'gunicorn') "
        "if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=CHECKOUT, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"
    for name in _COMMANDS:
        assert f"\n  {name} " in done.stdout


@pytest.mark.parametrize("name", list(_COMMANDS))
def test_every_command_says_what_it_does(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([name, "--help"]) == 0
    assert f"Usage: outpost {name}" in capsys.readouterr().out


def test_an_unknown_command_is_one_clear_line_and_exit_2() -> None:
    done = outpost("fly")
    assert done.returncode == 2
    assert "No such command 'fly'" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "name", ["ingest", "gatekeeper", "engine", "web", "stream", "migrate", "upkeep"]
)
def test_a_missing_setting_is_one_line_and_exit_2(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _only(monkeypatch, {})
    assert run([name]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert len(said.err.splitlines()) == 1
    assert said.err.startswith("outpost: OUTPOST_")
    assert "is not set" in said.err


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"OUTPOST_ENV": "staging"}, "OUTPOST_ENV must be"),
        ({"OUTPOST_SECRET_KEY": "changeme"}, "OUTPOST_SECRET_KEY is short"),
        ({"OUTPOST_SECRET_KEY": "development-key-of-32-characters-or-more"}, "well known"),
        ({"OUTPOST_PUBLIC_URL": "http://outpost.example"}, "must begin with https"),
        ({"OUTPOST_DATA_KEY": "c2hvcnQ="}, "OUTPOST_DATA_KEY must be 32"),
        ({"OUTPOST_MQTT_PORT": "many"}, "OUTPOST_MQTT_PORT must be a whole number"),
        ({"OUTPOST_SECRET_KEY": "", "OUTPOST_SECRET_KEY_FILE": "/nowhere"}, "cannot be read"),
    ],
)
def test_unsafe_settings_stop_the_start(
    stack: Stack,
    change: dict[str, str],
    complaint: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    env = {
        **stack.settings_env(),
        "OUTPOST_ENV": "production",
        "OUTPOST_PUBLIC_URL": "https://outpost.example",
        "OUTPOST_SECRET_KEY": "k3yk3yk3yk3yk3yk3yk3yk3yk3yk3yk3yk3y",
    }
    _only(monkeypatch, {**env, **change})
    assert run(["web"]) == 2
    said = capsys.readouterr().err
    assert complaint in said
    assert len(said.splitlines()) == 1


def test_a_database_that_is_away_is_one_line_and_exit_1(stack: Stack) -> None:
    url = f"postgresql+psycopg://outpost_app:x@127.0.0.1:{free_port(None)}/none"
    env = {**stack.settings_env(), "OUTPOST_APP_DATABASE_URL": url}
    done = outpost("device", "list", "acme", env=env)
    assert done.returncode == 1
    assert done.stderr.startswith("outpost: the database does not answer")
    assert len(done.stderr.splitlines()) == 1


def test_a_company_is_set_up_from_the_command_line(stack: Stack, database: DatabaseUrls) -> None:
    env = stack.settings_env(database)
    added = outpost("tenant", "add", "acme", "--name", "Acme", "--zone", "Europe/Helsinki", env=env)
    assert (added.returncode, added.stderr) == (0, "")
    again = outpost("tenant", "add", "acme", "--name", "Acme", env=env)
    assert (again.returncode, again.stderr) == (2, "outpost: a tenant acme exists already\n")
    secret = "quiet-harbour-42\n"
    account = ("account", "add", "boss@acme", "--name", "Boss", "--role", "admin")
    made = outpost(*account, "--password-stdin", env=env, stdin=secret)
    assert (made.returncode, made.stdout) == (0, "account boss@acme added\n")
    weak = outpost(
        *account[:2], "aide@acme", *account[3:], "--password-stdin", env=env, stdin="x\n"
    )
    assert weak.returncode == 2
    assert "at least 10 characters" in weak.stderr
    changed = outpost(
        "account",
        "password",
        "boss@acme",
        "--password-stdin",
        env=env,
        stdin="another-harbour-43\n",
    )
    assert changed.returncode == 0
    assert secret.strip() not in made.stdout + made.stderr


def test_a_phone_is_enrolled_listed_and_revoked(stack: Stack, database: DatabaseUrls) -> None:
    env = stack.settings_env(database)
    outpost("tenant", "add", "acme", "--name", "Acme", env=env)
    _hire(database)
    enrolled = outpost("device", "enrol", "acme", "E001", "--json", env=env)
    assert (enrolled.returncode, enrolled.stderr) == (0, "")
    shown = json.loads(enrolled.stdout)
    assert shown["config"]["port"] == int(env["OUTPOST_MQTT_PUBLIC_PORT"])
    listed = outpost("device", "list", "acme", env=env).stdout.split("\t")
    assert listed[:3] == [shown["device"], shown["username"], "E001"]
    assert listed[-1] == "active\n"
    assert outpost("device", "revoke", "acme", shown["device"], env=env).returncode == 0
    assert "\trevoked 20" in outpost("device", "list", "acme", env=env).stdout
    drawn = outpost("device", "enrol", "acme", "E001", "--qr", env=env)
    assert "owntracks:///config?inline=" in drawn.stdout
    assert "█" in drawn.stdout or "▀" in drawn.stdout
    nobody = outpost("device", "enrol", "acme", "E999", env=env)
    assert (nobody.returncode, nobody.stderr) == (
        2,
        "outpost: nobody has the staff number E999\n",
    )


def test_phones_are_enrolled_from_a_file_all_or_none(
    stack: Stack, database: DatabaseUrls, tmp_path: Path
) -> None:
    env = stack.settings_env(database)
    outpost("tenant", "add", "acme", "--name", "Acme", env=env)
    _hire(database)
    sheet = tmp_path / "phones.csv"
    sheet.write_text("number,app\nE001,traccar\nE999,traccar\n", encoding="utf-8")
    refused = outpost("device", "enrol-file", "acme", str(sheet), env=env)
    assert (refused.returncode, len(refused.stderr.splitlines())) == (2, 1)
    assert [line.split("\t")[-1] for line in refused.stdout.splitlines()] == [
        "ok",
        "unknown_number",
    ]
    assert outpost("device", "list", "acme", env=env).stdout == ""
    sheet.write_text("工号,应用\nE001,traccar\n", encoding="gb18030")
    done = outpost("device", "enrol-file", "acme", str(sheet), env=env)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("2\tE001\t")
    assert "/enrol/1." in done.stdout
    (listed,) = outpost("device", "list", "acme", env=env).stdout.splitlines()
    assert "\ttraccar\t" in listed
    device_id = listed.split("\t")[0]
    rotated = outpost("device", "rotate", "acme", device_id, "--json", env=env)
    shown = json.loads(rotated.stdout)
    assert shown["settings"]["server_url"].endswith(f"/{shown['username']}/{shown['secret']}")
    assert shown["code"].startswith(shown["settings"]["server_url"] + "?id=")


def test_people_are_excused_and_leave_from_the_command_line(
    stack: Stack, database: DatabaseUrls
) -> None:
    env = stack.settings_env(database)
    outpost("tenant", "add", "acme", "--name", "Acme", "--zone", "Europe/Helsinki", env=env)
    _hire(database)
    today = datetime.now(ZoneInfo("Europe/Helsinki")).date()
    span = (f"{today}T09:00", f"{today}T17:00")
    added = outpost("excuse", "add", "acme", "E001", "leave", *span, "--note", "dentist", env=env)
    assert (added.returncode, added.stderr) == (0, "")
    listed = outpost("excuse", "list", "acme", "E001", env=env).stdout.split("\t")
    assert (listed[0], listed[1], listed[4]) == (added.stdout.strip(), "leave", "dentist\n")
    assert datetime.fromisoformat(listed[2]).hour == 9
    refused = outpost("excuse", "add", "acme", "E001", "leave", "soon", "later", env=env)
    assert (refused.returncode, len(refused.stderr.splitlines())) == (2, 1)
    assert outpost("excuse", "withdraw", "acme", listed[0], env=env).returncode == 0
    assert outpost("excuse", "list", "acme", "E001", env=env).stdout == ""
    outpost("device", "enrol", "acme", "E001", env=env)
    left = outpost("employee", "leave", "acme", "E001", env=env)
    assert (left.returncode, left.stdout) == (0, f"E001 has left from {today} on\n")
    assert "\trevoked 20" in outpost("device", "list", "acme", env=env).stdout


def test_thresholds_are_shown_and_set(stack: Stack, database: DatabaseUrls) -> None:
    env = stack.settings_env(database)
    outpost("tenant", "add", "acme", "--name", "Acme", env=env)
    done = outpost("policy", "set", "acme", "duty", "grace_s=300", env=env)
    assert (done.returncode, done.stdout) == (0, "duty version 1 set\n")
    outpost("policy", "set", "acme", "presence", "exit_fixes=3", env=env)
    shown = json.loads(outpost("policy", "show", "acme", env=env).stdout)
    assert shown["duty"]["grace_s"] == 300
    assert shown["presence"]["exit_fixes"] == 3
    assert shown["off_post"]["min_fixes"] == 2
    for wrong in ("nonsense", "unheard_of=1"):
        refused = outpost("policy", "set", "acme", "off_post", wrong, env=env)
        assert (refused.returncode, len(refused.stderr.splitlines())) == (2, 1)


def test_migrate_brings_an_empty_database_up_and_may_be_repeated(stack: Stack) -> None:
    name = f"migrate_{os.getpid()}"
    stack.postgres.drop_database(name)
    stack.postgres.bootstrap(name)
    try:
        urls = stack.postgres.urls(name)
        env = stack.settings_env(urls)
        first, second = (outpost("migrate", env=env) for _ in range(2))
        assert (first.returncode, second.returncode) == (0, 0), first.stderr
        assert first.stdout.splitlines()[-1] == "the database is up to date"
        assert "partitions: 0 made, 0 dropped, 0 fixes moved" in second.stdout
        rebuilt = outpost("upkeep", "--rebuild-last-positions", env=env)
        assert (rebuilt.returncode, rebuilt.stdout.splitlines()[-1]) == (
            0,
            "0 people have a last position",
        )
        engine = make_engine(urls.owner, pool_size=1)
        with engine.connect() as connection:
            count = connection.scalar(
                text("SELECT count(*) FROM pg_inherits WHERE inhparent = 'fixes'::regclass")
            )
        engine.dispose()
        assert count is not None
        assert count > 15
    finally:
        stack.postgres.drop_database(name)


def _only(monkeypatch: pytest.MonkeyPatch, env: Mapping[str, str]) -> None:
    for name in [name for name in os.environ if name.startswith("OUTPOST_")]:
        monkeypatch.delenv(name)
    for name, value in env.items():
        monkeypatch.setenv(name, value)


def _hire(database: DatabaseUrls) -> None:
    engine = make_engine(database.superuser, pool_size=1)
    with unit_of_work(make_session_factory(engine), tenant_id=None) as session:
        session.execute(
            text(
                "INSERT INTO employees (tenant_id, id, number, name, hired_on) "
                "SELECT id, gen_random_uuid(), 'E001', 'Ann', '2026-01-01' FROM tenants"
            )
        )
        session.execute(
            text(
                "INSERT INTO memberships (tenant_id, id, employee_id, unit_id, during_on) "
                "SELECT e.tenant_id, gen_random_uuid(), e.id, u.id, '[2020-01-01,)' "
                "FROM employees e JOIN units u ON u.tenant_id = e.tenant_id"
            )
        )
    engine.dispose()
