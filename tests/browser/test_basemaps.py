"""Chosen streets in a real browser: shifted pictures lie where they belong and name their owner."""

import math
import struct
import threading
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from flask import Flask, Response
from playwright.sync_api import BrowserContext, Page, expect

from fixtures.basemap import build_basemap
from geo.crs import Datum, convert_point
from server.db.session import unit_of_work
from server.http.context import EXTENSION
from server.people import services as people
from server.people.basemaps import BUILT_IN, Basemap, BasemapKind, choose_basemap
from server.people.models import Role
from tests.browser.conftest import sign_in
from tests.browser.scene import Scene
from tests.browser.witness import Witness
from tests.factories.browser import parts_of
from tests.factories.serving import serving

pytestmark = pytest.mark.browser

SHANGHAI = (121.4737, 31.2304)
TILE = 256
HALF = 7
PAPER, MARK = (240, 240, 230), (220, 20, 20)


@dataclass
class Provider:
    """A server of map pictures with one red mark, where GCJ-02 has Shanghai."""

    address: str = ""
    asked: list[str] = field(default_factory=list)
    referrers: set[str | None] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def template(self) -> str:
        """What a tenant enters."""
        return f"{self.address}/{{z}}/{{x}}/{{y}}.png"


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    made = Provider()
    app = Flask("provider", static_folder=None)

    @app.get("/<int:z>/<int:x>/<int:y>.png")
    def tile(z: int, x: int, y: int) -> Response:
        from flask import request  # noqa: PLC0415

        with made.lock:
            made.asked.append(f"{z}/{x}/{y}")
            made.referrers.add(request.headers.get("Referer"))
        answer = Response(_png(z, x, y), mimetype="image/png")
        answer.headers["Access-Control-Allow-Origin"] = "*"
        return answer

    with serving(app) as address:
        made.address = address
        yield made


@pytest.fixture
def admin(scene: Scene, context: BrowserContext, witness: Witness) -> Page:
    if "admin" not in scene.accounts:
        with unit_of_work(parts_of(scene.app).sessions, tenant_id=scene.tenant_id) as session:
            clock = parts_of(scene.app).clock
            scene.accounts["admin"] = people.create_account(
                session,
                clock,
                login="admin",
                name="管理员",
                password="quiet-harbour-42",
                employee_id=scene.employees["董辉"],
                tenant_id=scene.tenant_id,
            ).id
            people.grant_role(
                session,
                clock,
                account_id=scene.accounts["admin"],
                role=Role.ADMIN,
                unit_id=people.top_unit(session, tenant_id=scene.tenant_id).id,
                tenant_id=scene.tenant_id,
            )
    return sign_in(scene, context, "admin", witness)


@pytest.fixture(autouse=True)
def _built_in_again(scene: Scene) -> Iterator[None]:
    yield
    choose(scene, BUILT_IN)


def choose(scene: Scene, wanted: Basemap) -> None:
    parts = parts_of(scene.app)
    with unit_of_work(parts.sessions, tenant_id=scene.tenant_id) as session:
        choose_basemap(session, parts.clock, tenant_id=scene.tenant_id, wanted=wanted)


def ready(page: Page) -> None:
    page.wait_for_selector("html[data-ready]", state="attached", timeout=60_000)


def colour_at_centre(page: Page) -> tuple[int, int, int]:
    box = page.locator(".basemaps__map [data-map]").bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    shot = page.screenshot(clip={"x": x - 1, "y": y - 1, "width": 3, "height": 3})
    return _middle_of(shot)


def test_amap_pictures_are_shifted_back_under_wgs84(
    scene: Scene, admin: Page, provider: Provider, witness: Witness
) -> None:
    # As it is, the mark lies half a kilometre away from where WGS-84 has the place.
    admin.goto(f"{scene.url}/settings/basemap")
    ready(admin)
    admin.get_by_text("高德地图", exact=True).click()
    admin.locator("#f-amap_address").fill(provider.template)
    admin.locator("#f-amap_attribution").fill("测试图 审图号 GS(2026)1号")
    admin.get_by_role("button", name="预览").click()
    admin.wait_for_url("**/settings/basemap")
    expect(admin.locator("form .notice").first).to_be_visible()
    ready(admin)
    red, green, _blue = colour_at_centre(admin)
    assert red > 120 > green, "the red mark is under the point it marks"
    expect(admin.locator(".maplibregl-ctrl-attrib")).to_contain_text("审图号 GS(2026)1号")
    assert provider.referrers == {None}
    assert {url.split("/")[2] for url in witness.strangers} == {provider.address.split("/")[2]}
    assert witness.errors == []
    # Saved, it is on every map; the built-in one asks nobody again.
    admin.get_by_role("button", name="保存").click()
    admin.wait_for_url("**/settings/basemap?saved=1")
    ready(admin)
    red, green, _blue = colour_at_centre(admin)
    assert red > 120 > green


def test_a_choice_is_under_the_live_map_with_its_words(
    scene: Scene, lead: Page, provider: Provider, witness: Witness
) -> None:
    provider.asked.clear()
    choose(scene, Basemap(kind=BasemapKind.RASTER, address=provider.template))
    lead.goto(f"{scene.url}/live")
    ready(lead)
    expect(lead.locator(".maplibregl-ctrl-attrib")).to_contain_text("OpenStreetMap")
    assert provider.asked
    assert witness.errors == []


def test_an_own_file_is_drawn_without_asking_anybody(
    scene: Scene, admin: Page, witness: Witness, tmp_path: Path
) -> None:
    build_basemap(out=tmp_path, world_folders=())
    (tmp_path / "demo.pmtiles").rename(tmp_path / "town.pmtiles")
    parts = parts_of(scene.app)
    settings = replace(parts.settings, basemap_dir=tmp_path)
    scene.app.extensions[EXTENSION] = replace(parts, settings=settings)
    try:
        choose(scene, Basemap(kind=BasemapKind.PMTILES, address="town.pmtiles"))
        with admin.expect_response(lambda answer: answer.status == 206):
            admin.goto(f"{scene.url}/settings/basemap")
        ready(admin)
        drawn = admin.evaluate("document.querySelector('[data-map]').probe()")
    finally:
        scene.app.extensions[EXTENSION] = parts
    assert len(drawn["layers"]) > 2
    assert "OpenStreetMap" in drawn["credits"]
    assert witness.errors == []
    assert witness.strangers == []


def test_a_host_that_does_not_answer_leaves_a_usable_map(
    scene: Scene, lead: Page, provider: Provider
) -> None:
    choose(scene, Basemap(kind=BasemapKind.STYLE, address=f"{provider.address}/missing.json"))
    lead.goto(f"{scene.url}/live")
    ready(lead)
    expect(lead.locator(".map-notice")).to_be_visible()
    assert lead.evaluate("document.querySelector('[data-map]').probe('people')")


def _png(z: int, x: int, y: int) -> bytes:
    lon, lat = convert_point(
        lon_deg=SHANGHAI[0], lat_deg=SHANGHAI[1], source=Datum.WGS84, target=Datum.GCJ02
    )
    size = TILE * 2**z
    sine = math.sin(math.radians(lat))
    left = (lon / 360 + 0.5) * size - x * TILE
    top = (0.5 - math.log((1 + sine) / (1 - sine)) / (4 * math.pi)) * size - y * TILE
    rows = []
    for row in range(TILE):
        marked = abs(row - top) <= HALF
        pixels = b"".join(
            bytes(MARK if marked and abs(column - left) <= HALF else PAPER)
            for column in range(TILE)
        )
        rows.append(b"\0" + pixels)
    return _chunks(zlib.compress(b"".join(rows)), TILE, TILE)


def _chunks(data: bytes, width: int, height: int) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack("!I", len(body)) + kind + body + struct.pack("!I", zlib.crc32(kind + body))
        )

    head = struct.pack("!IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def _middle_of(png: bytes) -> tuple[int, int, int]:
    """Return the middle pixel of a screenshot of three by three."""
    at, data, width, depth = 8, b"", 0, 3
    while at < len(png):
        (length,) = struct.unpack("!I", png[at : at + 4])
        kind, body = png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        if kind == b"IHDR":
            width, _height, _bits, colour = struct.unpack("!IIBB", body[:10])
            depth = 4 if colour == 6 else 3
        elif kind == b"IDAT":
            data += body
        at += 12 + length
    raw, stride = zlib.decompress(data), width * depth
    line = bytearray(stride)
    for row in range(2):
        start = row * (stride + 1)
        line = _unfiltered(raw[start], raw[start + 1 : start + 1 + stride], line, depth)
    middle = (width // 2) * depth
    return line[middle], line[middle + 1], line[middle + 2]


def _unfiltered(kind: int, coded: bytes, above: bytearray, depth: int) -> bytearray:
    line = bytearray(len(coded))
    for i, value in enumerate(coded):
        left = line[i - depth] if i >= depth else 0
        up, corner = above[i], above[i - depth] if i >= depth else 0
        near = min((left, up, corner), key=lambda p: abs(left + up - corner - p))
        guess = (0, left, up, (left + up) // 2, near)[kind]
        line[i] = (value + guess) % 256
    return line
