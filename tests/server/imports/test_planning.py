"""What rows of each kind would do, and why some are refused."""

import json
from datetime import timedelta

import pytest
from sqlalchemy import text

from geo.crs import Datum, convert
from server.imports.kinds import Kind
from server.imports.planning import Options
from server.people.rules import Action
from server.posts.queries import list_posts
from tests.factories.company import DAY
from tests.factories.paperwork import Desk, csv_file

ROSTER = ("工号", "日期", "班次", "岗点")
POSTS = ("名称", "部门", "地址", "经度", "纬度", "半径", "宽限")
SITES = ("编号", "名称", "部门", "经度", "纬度")
UNITS = ("名称", "上级", "类型")


def scalar(desk: Desk, sql: str) -> object:
    with desk.transactions() as session:
        return session.scalar(text(sql))


def branch(desk: Desk) -> str:
    return str(scalar(desk, f"SELECT name FROM units WHERE id = '{desk.company.branch_id}'"))


def hire(desk: Desk, name: str = "甲") -> str:
    person = desk.company.hire(name)
    return str(scalar(desk, f"SELECT number FROM employees WHERE id = '{person}'"))


def shift(desk: Desk, name: str, starts: str, ends: str) -> str:
    with desk.transactions() as session:
        session.execute(
            text(
                "INSERT INTO shifts (tenant_id, id, name, starts, ends)"
                " VALUES (:t, gen_random_uuid(), :n, :s, :e)"
            ),
            {"t": desk.company.tenant_id, "n": name, "s": starts, "e": ends},
        )
    return name


def test_a_roster_with_a_night_raises_the_duty_version(desk: Desk) -> None:
    number, night = hire(desk), shift(desk, "夜班", "22:00", "06:00")
    post = str(scalar(desk, "SELECT name FROM posts"))
    before = scalar(desk, "SELECT version FROM duty_versions")
    days = [(DAY + timedelta(days=n)).isoformat() for n in (1, 2, 3)]
    desk.bring(Kind.ROSTER, csv_file(ROSTER, *((number, day, night, post) for day in days)))
    assert scalar(desk, "SELECT count(*) FROM roster_entries WHERE post_id IS NOT NULL") == 3
    lengths = "SELECT DISTINCT ends_at - starts_at FROM roster_entries"
    assert scalar(desk, lengths) == timedelta(hours=8)
    assert scalar(desk, "SELECT version FROM duty_versions") != before


def test_conflicts_of_a_roster_are_explained(desk: Desk) -> None:
    number, other = hire(desk), hire(desk, "乙")
    day, late = shift(desk, "白班", "09:00", "18:00"), shift(desk, "晚班", "17:00", "23:00")
    night = shift(desk, "夜班", "22:00", "09:30")
    tomorrow = (DAY + timedelta(days=1)).isoformat()
    desk.bring(Kind.ROSTER, csv_file(ROSTER, (number, tomorrow, day, "")))
    content = csv_file(
        ROSTER,
        (number, tomorrow, late, ""),
        (number, DAY.isoformat(), night, ""),
        (number, tomorrow, day, ""),
        (other, tomorrow, day, ""),
        (other, tomorrow, late, ""),
        (other, tomorrow, day, ""),
        (other, "2019-12-31", day, ""),
        (other, tomorrow, "无此班", "无此岗"),
        ("9999", tomorrow, day, ""),
    )
    assert desk.problems(Kind.ROSTER, content) == [
        (2, "roster_overlap"),
        (3, "roster_overlap"),
        (6, "overlaps_row"),
        (7, "twice_in_file"),
        (8, "not_employed"),
        (9, "shift_unknown"),
        (9, "post_unknown"),
        (10, "person_unknown"),
    ]


def test_a_roster_may_replace_what_has_not_begun(desk: Desk) -> None:
    number = hire(desk)
    day, late = shift(desk, "白班", "09:00", "18:00"), shift(desk, "晚班", "13:00", "22:00")
    tomorrow = (DAY + timedelta(days=1)).isoformat()
    early = csv_file(ROSTER, *((number, on, day, "") for on in (DAY.isoformat(), tomorrow)))
    desk.bring(Kind.ROSTER, early)
    replacing = Options(replace=True)
    view = desk.check(
        Kind.ROSTER, csv_file(ROSTER, (number, tomorrow, late, "")), options=replacing
    )
    (row,) = desk.rows(view.id)
    assert row.changes == (("shift", f"{tomorrow} 白班", "晚班 13:00–22:00"),)
    desk.apply(view.id)
    in_force = "SELECT count(*) FROM roster_entries WHERE cancelled_at IS NULL"
    assert scalar(desk, in_force) == 2
    desk.company.clock.advance(timedelta(hours=4))
    begun = csv_file(ROSTER, (number, DAY.isoformat(), late, ""))
    assert desk.problems(Kind.ROSTER, begun, replace=True) == [(2, "shift_begun")]


def test_units_may_come_in_any_order_and_not_twice(desk: Desk) -> None:
    top = branch(desk)
    content = csv_file(
        UNITS, ("班", "科", "班组"), ("科", top, "部门"), ("班", "科", "班组"), ("孤", "无", "班组")
    )
    assert desk.problems(Kind.UNITS, content) == [(4, "twice_in_file"), (5, "unit_unknown")]
    assert desk.bring(Kind.UNITS, csv_file(UNITS, ("班", "科", "班组"), ("科", top, "部门"))) == {
        "add": 2,
        "change": 0,
        "same": 0,
        "refuse": 0,
    }
    depth = "SELECT max(depth) FROM unit_ancestors a JOIN units u ON u.id = a.unit_id"
    assert scalar(desk, f"{depth} WHERE u.name = '班'") == 3
    again = csv_file(
        UNITS, ("班", "科", "班组"), ("科", top, "班组"), ("新", "班", "部门"), ("x", "", "集团")
    )
    assert desk.problems(Kind.UNITS, again) == [
        (3, "unit_kind_fixed"),
        (4, "unit_kind_order"),
        (5, "parent_missing"),
    ]


def test_a_name_that_two_units_bear_needs_its_path(desk: Desk) -> None:
    top = branch(desk)
    desk.bring(
        Kind.UNITS,
        csv_file(
            UNITS,
            ("东", top, "部门"),
            ("西", top, "部门"),
            ("一组", "东", "班组"),
            ("一组", "西", "班组"),
        ),
    )
    head = ("工号", "姓名", "部门", "入职日期")
    rows = [("1", "甲", "一组", "2026-01-01"), ("2", "乙", "西/一组", "2026-01-01")]
    assert desk.problems(Kind.EMPLOYEES, csv_file(head, *rows)) == [(2, "unit_ambiguous")]


def test_posts_get_new_shapes_and_addresses_from_now_on(desk: Desk) -> None:
    top = branch(desk)
    first = csv_file(POSTS, ("东门", top, "路1号", 121.5, 31.2, "120米", 15))
    desk.bring(Kind.POSTS, first)
    desk.company.clock.advance(timedelta(hours=1))
    desk.bring(Kind.POSTS, csv_file(POSTS, ("东门", top, "路2号", 121.6, "31.2", 120, "")))
    with desk.transactions() as session:
        posts = list_posts(
            session,
            desk.bearer.units(Action.EDIT_POSTS, desk.company.clock),
            at=desk.company.clock.now(),
        )
    (post,) = [p for p in posts if p.name == "东门"]
    assert (post.version, post.address, post.grace_s) == (2, "路2号", 900)
    assert post.shape == {"type": "Point", "coordinates": [121.6, 31.2], "radius_m": 120.0}
    other = csv_file(
        POSTS,
        ("东门", top, "", 121.6, "", "", ""),
        ("西门", top, "", "", "", "", ""),
        ("南门", top, "", 121.6, 31.2, "", ""),
        ("北门", top, "", 121.6, 31.2, "5", 9999),
        ("门", "无", "", 121.6, 31.2, "50", ""),
    )
    assert desk.problems(Kind.POSTS, other) == [
        (2, "position_incomplete"),
        (3, "shape_missing"),
        (4, "radius_missing"),
        (5, "radius_out_of_range"),
        (5, "bad_grace"),
        (6, "unit_unknown"),
    ]


def feature(name: str, unit: str, shape: object) -> dict[str, object]:
    return {"type": "Feature", "geometry": shape, "properties": {"name": name, "unit": unit}}


def collection(*features: object) -> bytes:
    return json.dumps({"type": "FeatureCollection", "features": features}).encode()


def test_shapes_that_no_fence_can_have_are_refused_as_in_the_editor(desk: Desk) -> None:
    top = branch(desk)
    tie = [[121.0, 31.0], [121.1, 31.1], [121.1, 31.0], [121.0, 31.1], [121.0, 31.0]]
    square = [[121.0, 31.0], [121.1, 31.0], [121.1, 31.1], [121.0, 31.1], [121.0, 31.0]]
    content = collection(
        feature("a", top, {"type": "Polygon", "coordinates": [tie]}),
        feature("b", top, {"type": "LineString", "coordinates": square}),
        feature("c", top, {"type": "Polygon", "coordinates": [square[:-1]]}),
        feature("d", top, {"type": "Polygon", "coordinates": [[[*p, 3.0] for p in square]]}),
        feature("e", top, {"type": "Polygon", "coordinates": [[[y, x] for x, y in square]]}),
    )
    assert desk.problems(Kind.POSTS, content) == [
        (1, "self_intersection"),
        (2, "unsupported_geometry"),
        (3, "unclosed_ring"),
        (5, "swapped"),
    ]


@pytest.mark.parametrize("datum", [Datum.GCJ02, Datum.BD09])
def test_coordinates_are_brought_to_wgs84_once(desk: Desk, datum: Datum) -> None:
    lons, lats = convert([121.4737], [31.2304], source=Datum.WGS84, target=datum)
    row = ("K1", "店", branch(desk), repr(float(lons[0])), repr(float(lats[0])))
    desk.bring(Kind.SITES, csv_file(SITES, row), options=Options(datum=datum))
    assert scalar(desk, "SELECT ST_X(position) FROM sites") == pytest.approx(121.4737, abs=1e-8)
    assert scalar(desk, "SELECT ST_Y(position) FROM sites") == pytest.approx(31.2304, abs=1e-8)


def test_swapped_axes_are_asked_about_and_never_guessed(desk: Desk) -> None:
    top = branch(desk)
    content = csv_file(
        SITES, ("1", "a", top, 31.2, 121.5), ("2", "b", top, 0, 0), ("3", "c", top, 200, 31)
    )
    assert desk.problems(Kind.SITES, content) == [
        (2, "swapped"),
        (3, "null_island"),
        (4, "out_of_range"),
    ]
    assert desk.problems(Kind.SITES, content, axes="keep")[0] == (2, "out_of_range")
    assert desk.problems(Kind.SITES, content, axes="swap") == [
        (3, "null_island"),
        (4, "out_of_range"),
    ]
    # West of 90° east both readings are on Earth: the places there are decide.
    near = csv_file(SITES, ("1", "a", top, 43.8, 87.6))
    assert desk.problems(Kind.SITES, near) == []
    desk.bring(Kind.SITES, csv_file(SITES, ("9", "z", top, 87.6, 43.8)))
    assert desk.problems(Kind.SITES, near) == [(2, "swapped")]


def test_numbers_of_other_units_are_not_taken_over(desk: Desk) -> None:
    top = branch(desk)
    desk.bring(Kind.SITES, csv_file(SITES, ("1", "a", top, 121.5, 31.2)))
    again = csv_file(SITES, ("1", "b", "", "", ""), ("1", "c", top, "", ""))
    assert desk.problems(Kind.SITES, again) == [(3, "twice_in_file")]
