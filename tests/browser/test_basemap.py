from collections.abc import Iterator

import pytest
from flask import Flask, Response, send_from_directory
from playwright.sync_api import BrowserContext

from fixtures.basemap import build_basemap
from tests.factories.serving import serving
from web.assets import VENDOR, missing_files

pytestmark = pytest.mark.browser

PAGE = """<!doctype html><meta charset="utf-8">
<style>html, body, #map {margin: 0; height: 100%}</style>
<div id="map"></div><script src="/static/vendor/pmtiles/pmtiles.js"></script>
<script type="module">
import * as maplibregl from "/static/vendor/maplibre-gl/maplibre-gl.mjs";
maplibregl.addProtocol("pmtiles", new pmtiles.Protocol().tile);
const theme = new URLSearchParams(location.search).get("theme");
const map = new maplibregl.Map({
  container: "map", style: `/static/basemap/style-${theme}.json`,
  center: [24.9443, 60.17], zoom: 15.6,
});
window.problems = [];
window.map = map;
map.on("error", (event) => window.problems.push(String(event.error?.message)));
map.once("idle", () => { document.documentElement.dataset.ready = "1"; });
</script>"""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    assert missing_files() == [], "run python -m web.assets"
    out = tmp_path_factory.mktemp("rendered")
    build_basemap(out=out, world_folders=())
    app = Flask("basemap", static_folder=None)

    @app.get("/")
    def page() -> str:
        return PAGE

    @app.get("/static/<kind>/<path:name>")
    def static(kind: str, name: str) -> Response:
        folder = {"vendor": VENDOR, "basemap": out}[kind]
        return send_from_directory(folder, name)

    with serving(app) as address:
        yield address


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_streets_water_and_names_are_drawn_without_asking_anybody_else(
    address: str, context: BrowserContext, theme: str
) -> None:
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{address}/?theme={theme}")
    page.wait_for_selector("html[data-ready]", state="attached", timeout=60_000)
    drawn = page.evaluate(
        """() => window.map.queryRenderedFeatures().map(
            (f) => [f.layer.id, f.properties.name ?? null])"""
    )
    layers = {layer for layer, _ in drawn}
    assert {"major", "minor", "building", "green", "water", "rail", "road-name"} <= layers
    written = {name for layer, name in drawn if layer == "road-name"}
    assert "Aleksanterinkatu" in written
    assert page.evaluate("window.problems") == []
    assert {url.split("/")[2] for url in asked if url.startswith("http")} == {address.split("/")[2]}
