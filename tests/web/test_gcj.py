"""The browser's formula for GCJ-02 is that of `geo.crs`, run by a real JavaScript engine."""

import json
import random
import subprocess
from pathlib import Path
from typing import Any

import playwright
import pytest

from geo.crs import Datum, convert
from geo.mainland import OUTLINE, is_offset_area

MODULE = Path(__file__).resolve().parents[2] / "web" / "static" / "app" / "gcj.js"


@pytest.fixture(scope="module")
def node() -> str:
    # The browser tests bring one along; not every machine has another.
    return str(Path(playwright.__file__).parent / "driver" / "node")


def run(node: str, expression: str, given: object, folder: Path) -> Any:
    """Evaluate an expression over `given` with the module's functions in scope."""
    copy = folder / "gcj.mjs"
    copy.write_text(MODULE.read_text(encoding="utf-8"), encoding="utf-8")
    script = folder / "run.mjs"
    script.write_text(
        'import * as gcj from "./gcj.mjs";\n'
        'import { readFileSync } from "node:fs";\n'
        'const given = JSON.parse(readFileSync(0, "utf-8"));\n'
        f"process.stdout.write(JSON.stringify({expression}));\n",
        encoding="utf-8",
    )
    done = subprocess.run(
        [node, str(script)], input=json.dumps(given).encode(), capture_output=True, check=True
    )
    return json.loads(done.stdout)


def places(count: int, seed: int) -> list[tuple[float, float]]:
    rng = random.Random(seed)
    return [(rng.uniform(73, 136), rng.uniform(17, 54)) for _ in range(count)]


def test_the_formula_is_the_same_to_a_hair(node: str, tmp_path: Path) -> None:
    inside = [p for p in places(3_000, 1) if is_offset_area([p[0]], [p[1]])[0]]  # type: ignore[arg-type]
    assert len(inside) > 500
    found = run(node, "given.map(([x, y]) => gcj.gcjFromWgs(x, y))", inside, tmp_path)
    lon, lat = zip(*inside, strict=True)
    expected = convert(lon, lat, source=Datum.WGS84, target=Datum.GCJ02)
    for (x, y), *wanted in zip(found, *expected, strict=True):
        assert (x, y) == pytest.approx(tuple(wanted), abs=1e-9)


def test_it_holds_where_the_server_says(node: str, tmp_path: Path) -> None:
    ring = [list(point) for point in OUTLINE.exterior.coords]
    asked = places(2_000, 2)
    found = run(
        node,
        "given.asked.map(([x, y]) => gcj.insideRing(given.ring, x, y))",
        {"ring": ring, "asked": asked},
        tmp_path,
    )
    lon, lat = zip(*asked, strict=True)
    assert found == is_offset_area(lon, lat).tolist()  # type: ignore[arg-type]


def test_tiles_are_drawn_from_the_pieces_that_cover_them(node: str, tmp_path: Path) -> None:
    ring = [list(point) for point in OUTLINE.exterior.coords]
    tiles = [(z, int((121.47 / 360 + 0.5) * 2**z), int(0.4083 * 2**z)) for z in range(3, 19)]
    found = run(
        node,
        "given.tiles.map(([z, x, y]) => { const s = gcj.shiftOf(z, x, y, given.ring);"
        " return { s, p: gcj.piecesOf(z, x, y, s.map(Math.round)) }; })",
        {"ring": ring, "tiles": tiles},
        tmp_path,
    )
    for (z, _x, _y), answer in zip(tiles, found, strict=True):
        pieces = answer["p"]
        assert len(pieces) in {1, 2, 4}
        for x, y in ((0, 0), (255, 0), (0, 255), (255, 255), (128, 128)):
            over = [p for p in pieces if 0 <= x - p["left"] < 256 and 0 <= y - p["top"] < 256]
            assert len(over) == 1, "each pixel comes from exactly one of the provider's tiles"
        far = max(abs(shift) for shift in answer["s"])
        assert (far < 1) == (z < 9)
    # In Shanghai a few hundred metres: at zoom 18 one pixel is half a metre.
    east, _south = found[-1]["s"]
    assert 500 < east < 1500


def test_outside_of_china_nothing_moves(node: str, tmp_path: Path) -> None:
    ring = [list(point) for point in OUTLINE.exterior.coords]
    assert run(node, "gcj.shiftOf(14, 9327, 4742, given)", ring, tmp_path) == [0, 0]
