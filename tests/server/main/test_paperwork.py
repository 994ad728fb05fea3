"""`outpost import` and `outpost export` on a real database."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from fixtures.stack import DatabaseUrls, Stack
from server.main.cli import run
from tests.factories.company import Company, company
from tests.factories.paperwork import csv_file
from tests.server.main.test_cli import _only

pytestmark = pytest.mark.usefixtures("_settings")


@pytest.fixture
def acme(database: DatabaseUrls) -> Iterator[Company]:
    with company(database) as made:
        yield made


@pytest.fixture
def _settings(stack: Stack, acme: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    _only(monkeypatch, stack.settings_env(acme.urls))


def test_a_file_is_looked_at_then_written_and_comes_back_unchanged(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    sites = tmp_path / "sites.csv"
    lines = [(f"C{n}", f"店{n}", "company", 121.4 + n / 1000, 31.2) for n in range(20)]
    assert run(["export", "units", "--locale", "en"]) == 0
    top = capfd.readouterr().out.splitlines()[1].split(",")[0]
    lines = [(*line[:2], top, *line[3:]) for line in lines]
    sites.write_bytes(csv_file(("编号", "名称", "部门", "经度", "纬度"), *lines))
    assert run(["import", "sites", str(sites)]) == 0
    assert "add 20 change 0 same 0 refuse 0" in capfd.readouterr().out
    assert run(["import", "sites", str(sites), "--apply"]) == 0
    assert "applied" in capfd.readouterr().out
    for written in ("csv", "xlsx", "geojson", "kml"):
        out = tmp_path / f"out.{written}"
        assert run(["export", "sites", "--format", written, "-o", str(out)]) == 0
        assert run(["import", "sites", str(out), "--apply"]) == 0
        told = capfd.readouterr().out
        assert "add 0 change 0 same 20 refuse 0" in told
        assert "nothing to write" in told
    features = json.loads((tmp_path / "out.geojson").read_bytes())["features"]
    assert len(features) == 20


def test_refusals_are_lines_on_standard_error(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    bad = tmp_path / "people.csv"
    bad.write_bytes(csv_file(("工号", "姓名", "部门", "入职日期"), ("1", "甲", "nowhere", "x")))
    assert run(["import", "employees", str(bad), "--apply"]) == 2
    told = capfd.readouterr()
    assert "refuse 1" in told.out
    assert "row 2 unit: unit_unknown text=nowhere" in told.err
    bad.write_bytes(b"%PDF-1.4")
    assert run(["import", "employees", str(bad)]) == 2
    assert "wrong_type" in capfd.readouterr().err
    assert run(["export", "employees", "--format", "kml"]) == 2
    assert "not written as kml" in capfd.readouterr().err
