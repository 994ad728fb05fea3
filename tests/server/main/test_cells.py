"""The commands on cells, from a file to an answer."""

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from fixtures.stack import DatabaseUrls, Stack
from geo.cell_table import COLUMNS
from server.db.engine import make_engine
from tests.factories.crew import enlist

CHECKOUT = Path(__file__).resolve().parents[3]
Outpost = Callable[..., subprocess.CompletedProcess[str]]
ROW = "LTE,460,0,9711,{},,113.832036,22.602073,420,60,1,1700000000,1750000000,-90\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "beijing.csv.gz"
    rows = "".join(ROW.format(cell) for cell in range(1, 50))
    path.write_bytes(gzip.compress(f"{','.join(COLUMNS)}\n{rows}{ROW.format(0)}".encode()))
    return path


@pytest.fixture
def outpost(stack: Stack, database: DatabaseUrls) -> Outpost:
    """Return the command, run as a process on the test's database."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("OUTPOST_")}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", "from server.main.cli import main; main()", *arguments],
            cwd=CHECKOUT,
            env={**clean, **stack.settings_env(database)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


def test_a_file_is_imported_and_listed(file: Path, outpost: Outpost) -> None:
    done = outpost("cells", "import", str(file))
    assert done.stdout.splitlines() == [
        "beijing: 49 rows imported; 49 cells in 1 areas",
        "left out: 1 (cell_reserved)",
    ], done.stderr
    again = outpost("cells", "import", str(file), "--source", "mls", "--json")
    assert json.loads(again.stdout) == {
        "source": "mls", "rows": 49, "cells": 49, "areas": 1, "rejected": {"cell_reserved": 1}
    }  # fmt: skip
    listed = [line.split("\t") for line in outpost("cells", "list").stdout.splitlines()]
    assert [(line[0], line[1], line[4], line[6]) for line in listed] == [
        ("beijing", "49", "wgs84", "beijing.csv.gz"), ("mls", "49", "wgs84", "beijing.csv.gz")
    ]  # fmt: skip


def test_a_file_that_is_none_is_one_line_and_exit_2(tmp_path: Path, outpost: Outpost) -> None:
    bad = tmp_path / "bad.csv"
    bad.write_text("hello\n")
    done = outpost("cells", "import", str(bad))
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1


def test_the_datum_of_a_phone_is_stated(outpost: Outpost, database: DatabaseUrls) -> None:
    phone = enlist(database, 1)[0]
    engine = make_engine(database.superuser, pool_size=1)
    with engine.connect() as connection:
        slug = connection.scalar(text("SELECT slug FROM tenants"))
        done = outpost("device", "datum", str(slug), str(phone.device_id), "gcj02")
        datum = connection.scalar(text("SELECT datum FROM devices"))
    engine.dispose()
    assert (done.returncode, datum) == (0, "gcj02"), done.stderr
