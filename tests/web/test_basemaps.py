"""Choosing streets: the page, the content policy that follows it, files of tiles, the command."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from fixtures.stack import Stack
from server.http.context import EXTENSION, Runtime
from tests.factories.desk import Browser, Desk

ROOT = Path(__file__).resolve().parents[2]
PAGE = "/settings/basemap"
MAPS = ("/live", "/distribution", "/posts")
TILES = bytes(range(256)) * 40


@pytest.fixture
def admin(office: Desk) -> Browser:
    return office.browser("admin")


@pytest.fixture(autouse=True)
def _built_in_again(office: Desk) -> Iterator[None]:
    yield
    office.browser("admin").post(PAGE, {"kind": "built_in", "do": "save"})


@pytest.fixture
def folder(office: Desk, tmp_path: Path) -> Iterator[Path]:
    parts = office.app.extensions[EXTENSION]
    assert isinstance(parts, Runtime)
    (tmp_path / "maps").mkdir()
    (tmp_path / "secret.pmtiles").write_bytes(b"not yours")
    settings = replace(parts.settings, basemap_dir=tmp_path / "maps")
    office.app.extensions[EXTENSION] = replace(parts, settings=settings)
    yield tmp_path / "maps"
    office.app.extensions[EXTENSION] = parts


def policy_of(browser: Browser, path: str) -> str:
    answer = browser.get(path)
    assert answer.status_code == 200, path
    return str(answer.headers["Content-Security-Policy"])


@pytest.mark.parametrize("path", MAPS)
def test_by_default_a_map_may_ask_nobody_outside(office: Desk, path: str) -> None:
    policy = policy_of(office.browser("supervisor_north"), path)
    assert "connect-src 'self';" in policy
    assert "http" not in policy


def test_a_choice_opens_its_hosts_on_pages_with_maps_only(office: Desk, admin: Browser) -> None:
    form = {"kind": "raster", "do": "save", "raster_address": "https://tiles.test/{z}/{x}/{y}.png"}
    answer = admin.post(PAGE, form)
    assert (answer.status_code, answer.headers["Location"]) == (303, f"{PAGE}?saved=1")
    lead = office.browser("supervisor_north")
    for path in MAPS:
        policy = policy_of(lead, path)
        assert "connect-src 'self' https://tiles.test;" in policy
        assert "img-src 'self' data: blob: https://tiles.test;" in policy
        assert policy.count("https:") == 2
    for path in ("/people", "/live/table"):
        assert "tiles.test" not in policy_of(lead, path)
    page = lead.get("/live").text
    assert "https://tiles.test/{z}/{x}/{y}.png" in page
    assert "© OpenStreetMap contributors" in page
    other = office.browser("supervisor_group", office.world.beta)
    assert "tiles.test" not in policy_of(other, "/live")


def test_a_preview_saves_nothing(office: Desk, admin: Browser) -> None:
    answer = admin.post(PAGE, {"kind": "amap", "do": "preview"})
    assert answer.status_code == 200
    assert "webrd01.is.autonavi.com" in answer.headers["Content-Security-Policy"]
    assert "outline" in answer.text
    assert "autonavi" not in policy_of(office.browser("supervisor_north"), "/live")


def test_words_of_the_tenant_are_text_on_the_map(office: Desk, admin: Browser) -> None:
    words = "<img src=x onerror=alert(1)> 审图号"
    admin.post(PAGE, {"kind": "raster", "do": "save", "raster_attribution": words})
    page = office.browser("supervisor_north").get("/live").text
    assert "<img src=x" not in page
    assert "&amp;lt;img" in page


@pytest.mark.parametrize(
    "form",
    [
        {"kind": "style", "style_address": "http://far.test/x"},
        {"kind": "tianditu"},
        {"kind": "pmtiles", "pmtiles_address": "missing.pmtiles"},
        {"kind": "pmtiles", "pmtiles_address": "../secret.pmtiles"},
        {"kind": "raster", "raster_address": "https://a.test/x.png"},
    ],
)
@pytest.mark.usefixtures("folder")
def test_a_wrong_choice_says_what_is_wrong(admin: Browser, form: dict[str, str]) -> None:
    answer = admin.post(PAGE, form | {"do": "save"})
    assert answer.status_code == 422
    assert "field__error" in answer.text
    assert "http" not in answer.headers["Content-Security-Policy"]


def test_a_file_is_chosen_and_read_in_parts(office: Desk, admin: Browser, folder: Path) -> None:
    (folder / "town.pmtiles").write_bytes(TILES)
    assert "town.pmtiles" in admin.get(PAGE).text
    assert (
        admin.post(
            PAGE, {"kind": "pmtiles", "do": "save", "pmtiles_address": "town.pmtiles"}
        ).status_code
        == 303
    )
    lead = office.browser("supervisor_north")
    assert "/basemaps/files/town.pmtiles" in lead.get("/live").text
    part = lead.get("/basemaps/files/town.pmtiles", headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.data) == (206, TILES[10:20])
    assert part.headers["Content-Range"] == f"bytes 10-19/{len(TILES)}"
    part.close()
    for name in ("secret.pmtiles", "..%2Fsecret.pmtiles", "town.txt", ".pmtiles"):
        assert lead.get(f"/basemaps/files/{name}").status_code == 404


def test_a_branch_has_no_map_of_its_own(office: Desk) -> None:
    assert office.browser("supervisor_group").get(PAGE).status_code == 403


def test_the_command_chooses_and_shows(office: Desk, stack: Stack) -> None:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("OUTPOST_")}
    env = {**clean, **stack.settings_env(office.urls)}

    def outpost(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", "from server.main.cli import main; main()", "basemap"]
        return subprocess.run(
            [*command, *arguments],
            env=env,
            capture_output=True,
            encoding="utf-8",
            check=False,
            cwd=ROOT,
        )

    key = "0123456789abcdef0123456789abcdef"
    done = outpost("set", "alpha", "tianditu", "--key", key)
    assert done.returncode == 0, done.stderr
    assert "https://t0.tianditu.gov.cn" in done.stdout
    shown = outpost("show", "alpha").stdout
    assert json.loads(shown)["kind"] == "tianditu"
    assert key not in shown
    assert "天地图" in office.browser("supervisor_north").get("/live").text
    refused = outpost("set", "alpha", "style", "--address", "ftp://x")
    assert (refused.returncode, len(refused.stderr.splitlines())) == (2, 1)
    assert outpost("show", "nobody").returncode == 2
