"""Posts: list, editor, check of a shape in words, versions."""

import csv
import io
import json
from typing import Any

import pytest

from geo.geofence import REFUSALS
from tests.factories.desk import DAY, LAT_DEG, LON_DEG, Desk
from web.posts.reasons import REASONS


def circle(east: float = 0.002, radius_m: float = 60) -> dict[str, Any]:
    return {"type": "Point", "coordinates": [LON_DEG + east, LAT_DEG], "radius_m": radius_m}


def ring(*points: tuple[float, float]) -> list[list[float]]:
    return [[LON_DEG + x, LAT_DEG + y] for x, y in points]


def square(x: float = 0.0, y: float = 0.0, side: float = 0.002) -> list[list[float]]:
    return ring((x, y), (x + side, y), (x + side, y + side), (x, y + side), (x, y))


def form(office: Desk, **changes: str) -> dict[str, str]:
    return {
        "name": "gate",
        "unit_id": str(office.alpha.units["n1"]),
        "kind": "circle",
        "lon": str(LON_DEG),
        "lat": str(LAT_DEG),
        "radius_m": "80",
        "grace_min": "5",
        "zone": "Europe/Helsinki",
    } | changes


def test_the_list_says_kind_area_and_version_and_sorts(office: Desk) -> None:
    browser = office.browser("supervisor_group")
    page = browser.text("/posts?sort=-name")
    assert page.index("hall ALPHA-SOUTH") < page.index("hall ALPHA-NORTH")
    assert "Circle, 100 m" in page
    assert "31,416 m²" in page
    assert "Nothing matches" in browser.text("/posts?q=nowhere")
    rows = csv.DictReader(io.StringIO(browser.get("/posts?format=csv").data.decode("utf-8-sig")))
    assert {"circle"} == {row["shape"] for row in rows}


def test_a_scope_ends_at_its_branch(office: Desk) -> None:
    browser = office.browser("supervisor_north")
    assert "SOUTH" not in browser.text("/posts")
    assert "SOUTH" not in browser.get("/api/posts/shapes").text
    assert browser.get(f"/posts/{office.posts['south']}").status_code == 404
    answer = browser.post(f"/posts/{office.posts['south']}", form(office, version="1"))
    assert answer.status_code == 404
    assert browser.post(f"/posts/{office.posts['south']}/close").status_code == 404
    foreign = form(office, unit_id=str(office.alpha.units["south"]))
    assert browser.post("/posts/new", foreign).status_code == 404


def test_a_circle_by_numbers(office: Desk) -> None:
    browser = office.browser("supervisor_north")
    answer = browser.post("/posts/new", form(office, name="by numbers"))
    assert answer.status_code == 303
    page = browser.text(answer.headers["Location"])
    assert 'value="80"' in page
    assert "Europe/Helsinki" in page
    assert "20,106 m²" in page


def test_an_area_with_a_hole(office: Desk) -> None:
    browser = office.browser("supervisor_north")
    shape = {"type": "Polygon", "coordinates": [square(), square(0.0005, 0.0005, 0.0005)]}
    answer = browser.post(
        "/posts/new", form(office, name="yard", kind="polygon", geometry=json.dumps(shape))
    )
    assert answer.status_code == 303
    assert "Area, 8 vertices" in browser.text(answer.headers["Location"])


@pytest.mark.parametrize(
    ("shape", "code", "words"),
    [
        (
            {"type": "Polygon", "coordinates": [ring((0, 0), (1, 1), (1, 0), (0, 1), (0, 0))]},
            "self_intersection",
            "crosses itself",
        ),
        ({"type": "Polygon", "coordinates": [ring((0, 0), (0.001, 0))]}, "too_few_points", "three"),
        (
            {"type": "Polygon", "coordinates": [square(), square(1, 1, 0.0005)]},
            "hole_outside",
            "outside of its area",
        ),
        ({"type": "Polygon", "coordinates": [square(side=0.00001)]}, "zero_area", "20 m²"),
        (circle(radius_m=5), "radius_out_of_range", "20 m to 50 km"),
        ({"type": "Point", "coordinates": [0, 0]}, "radius_missing", "needs a radius"),
        ({"type": "LineString", "coordinates": ring((0, 0), (1, 1))}, None, "circles and areas"),
        ("nonsense", "not_geojson", "not GeoJSON"),
        (None, "not_geojson", "not GeoJSON"),
    ],
)
def test_a_refusal_is_a_sentence(office: Desk, shape: object, code: str | None, words: str) -> None:
    browser = office.browser("supervisor_north")
    answer = browser.post("/api/posts/check", json={"shape": shape}).json
    assert answer is not None
    assert answer["ok"] is False
    assert words in answer["reason"]
    assert code in {None, answer["code"]}


def test_a_crossing_edge_is_shown_where_it_is(office: Desk) -> None:
    shape = {"type": "Polygon", "coordinates": [ring((0, 0), (2, 2), (2, 0), (0, 2), (0, 0))]}
    answer = office.browser("supervisor_north").post("/api/posts/check", json={"shape": shape})
    assert answer.json is not None
    assert answer.json["point"] == pytest.approx([LON_DEG + 1, LAT_DEG + 1], abs=1e-6)


def test_a_good_shape_is_measured_and_overlaps_are_named(office: Desk) -> None:
    browser = office.browser("supervisor_group")
    own = browser.post(
        "/api/posts/check",
        json={"shape": circle(0.0, 100), "post_id": str(office.posts["north"])},
    ).json
    assert own is not None
    assert own["ok"] is True
    assert own["area_m2"] == pytest.approx(31_416, rel=1e-3)
    assert str(office.posts["north"]) not in {o["post_id"] for o in own["overlaps"]}
    half = browser.post("/api/posts/check", json={"shape": circle(100 / 55_400, 100)}).json
    assert half is not None
    share = {o["post_id"]: o["share"] for o in half["overlaps"]}[str(office.posts["north"])]
    # Two equal circles, each through the other's centre, share 39 %.
    assert share == pytest.approx(0.39, abs=0.01)


def test_a_refused_form_keeps_what_was_typed(office: Desk) -> None:
    browser = office.browser("supervisor_north")
    answer = browser.post("/posts/new", form(office, name="kept name", radius_m="7"))
    assert answer.status_code == 400
    assert "kept name" in answer.text
    assert "A radius is 20 m to 50 km." in answer.text
    for changes, words in (
        ({"unit_id": ""}, "Choose a unit."),
        ({"name": " "}, "Enter a name."),
        ({"lon": "east"}, "Enter a number."),
        ({"zone": "Mars/Base"}, "This is not a time zone"),
        ({"grace_min": "-3"}, "The grace is 0 to 1440 minutes."),
        ({"kind": "polygon", "geometry": "{"}, "This is not GeoJSON."),
        ({"kind": "polygon", "geometry": ""}, "There is no shape yet."),
    ):
        answer = browser.post("/posts/new", form(office, **changes))
        assert answer.status_code == 400, changes
        assert words in answer.text, changes


def test_a_new_fence_is_a_new_version_and_a_stale_form_is_refused(office: Desk) -> None:
    browser = office.browser("supervisor_north")
    made = browser.post("/posts/new", form(office, name="moving gate")).headers["Location"]
    answer = browser.post(made, form(office, radius_m="120", version="1"))
    assert answer.status_code == 303
    page = browser.text(made)
    assert "No. 2" in page
    assert "No. 1" in page
    assert 'value="120"' in page
    stale = browser.post(made, form(office, radius_m="300", version="1"))
    assert stale.status_code == 409
    assert "Somebody saved a newer shape" in stale.text
    assert "No. 3" not in browser.text(made)


def test_a_post_gets_another_name_and_keeps_its_fence(office: Desk) -> None:
    browser = office.browser("supervisor_north")
    made = browser.post("/posts/new", form(office, name="old gate")).headers["Location"]
    rename = f"{made}/rename"
    assert browser.post(rename, {"name": " new gate ", "address": "7 Quay"}).status_code == 303
    page = browser.text(made)
    assert "<h1>new gate</h1>" in page
    assert "7 Quay" in page
    assert "No. 2" not in page, "a name is no version of the fence"
    browser.post("/posts/new", form(office, name="other gate"))
    browser.post(rename, {"name": "other gate"})
    assert "has a post of that name already" in browser.text(made)
    browser.post(rename, {"name": "  "})
    assert "Enter a name." in browser.text(made)
    assert "<h1>new gate</h1>" in browser.text(made)


def test_a_post_with_people_on_the_roster_stays_open(office: Desk) -> None:
    browser = office.browser("supervisor_north")
    office.roster("employee", on_date=DAY)
    browser.post(f"/posts/{office.posts['north']}/close")
    assert "People are rostered here" in browser.text(f"/posts/{office.posts['north']}")
    made = browser.post("/posts/new", form(office, name="short lived")).headers["Location"]
    assert browser.post(f"{made}/close").status_code == 303
    assert "short lived" not in browser.text("/posts")
    assert "short lived" in browser.text("/posts?closed=1")


def test_who_may_only_look_gets_no_tools(office: Desk) -> None:
    assert office.browser("finance").get("/posts").status_code == 403
    assert office.browser("employee").get("/posts").status_code == 403
    assert "Drawing tools" in office.browser("hr").text(f"/posts/{office.posts['north']}")


def test_reasons_cover_every_refusal() -> None:
    assert REFUSALS - REASONS.keys() == set()
