"""What was taken out changes nothing when it is brought in again, whatever people wrote."""

from datetime import date, time, timedelta
from itertools import count
from math import cos, pi, sin

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from server.imports.columns import match_header
from server.imports.kinds import FileFormat, Kind
from server.imports.opening import FORMATS
from server.imports.writing import write_file
from server.people.models import UnitKind
from server.people.services import Hire, add_unit, hire_employees, move_employees
from server.posts.services import (
    Assignment,
    assign_shifts,
    create_post,
    create_shift,
    let_people_go,
    reshape_post,
)
from server.sites.rules import SiteFacts
from server.sites.services import add_sites
from tests.factories.company import DAY, ZONE
from tests.factories.paperwork import Desk

RUNS = settings(
    max_examples=4,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
_serial = count(1)
TRAPS = (
    "=1+1",
    "+86",
    "-2",
    "@SUM(A1)",
    "'",
    "'=x",
    "\t=",
    "\r",
    " =cmd",
    "_x0041_",
    '"',
    "007",
    "1E+5",
)

anything = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20),
    st.builds(str.__add__, st.sampled_from(TRAPS), st.text("ab,;\n'\"=甲", max_size=5)),
)
# What a name of a place may hold in every format, XML included.
printable = st.one_of(
    st.text(st.characters(exclude_categories=["Cs", "Cc", "Cn"]), max_size=20),
    st.builds(str.__add__, st.sampled_from(TRAPS), st.text("ab,;'\"=/\\<&#甲", max_size=5)),
).map(lambda text: text.replace("\t", "").replace("\r", "").strip())


def unique(name: str) -> str:
    return f"{name[:60]}~{next(_serial)}"


def assert_comes_back_unchanged(desk: Desk, kind: Kind, *days: date) -> None:
    span = (days[0], days[1]) if days else None
    for written in FORMATS[kind]:
        locale = "zh" if written in {FileFormat.CSV, FileFormat.KML} else "en"
        content = desk.export(kind, written, locale=locale, days=span)
        view = desk.check(kind, content)
        wrong = [(row.row_no, row.label, row.changes, row.problems) for row in desk.rows(view.id)]
        counts = {name: number for name, number in view.counts.items() if number}
        assert set(counts) == {"same"}, (written, view.reading, wrong)


person = st.tuples(
    anything.map(lambda text: text.strip()[:20]).filter(
        lambda text: text.isprintable() and text != ""
    ),
    anything,
    st.none() | anything,
    st.none() | anything | st.sampled_from(["+86 138-0013-8000", "010-8888 9999转12"]),
    st.dates(date(1950, 1, 1), DAY - timedelta(days=40)),
    st.sampled_from(["stays", "leaves", "moved"]),
)


@RUNS
@given(st.lists(person, min_size=1, max_size=5))
def test_employees(shared_desk: Desk, people: list[tuple[str, str, str, str, date, str]]) -> None:
    acme = shared_desk.company
    with acme.transaction() as session:
        team = add_unit(
            session,
            acme.clock,
            tenant_id=acme.tenant_id,
            parent_id=acme.branch_id,
            kind=UnitKind.TEAM,
            name=unique("a/b\\c"),
        ).id
        hires = [
            Hire(
                number=unique(number),
                name=name,
                unit_id=acme.branch_id,
                hired_on=hired_on,
                title=title,
                phone=phone,
            )
            for number, name, title, phone, hired_on, _fate in people
        ]
        ids = hire_employees(session, acme.clock, tenant_id=acme.tenant_id, hires=hires)
        fates = dict(zip(ids, [p[-1] for p in people], strict=True))
        moved = {employee: team for employee, fate in fates.items() if fate == "moved"}
        move_employees(session, acme.clock, tenant_id=acme.tenant_id, to=moved, from_on=DAY)
        leavers = {e: DAY + timedelta(days=9) for e, fate in fates.items() if fate == "leaves"}
        let_people_go(session, acme.clock, tenant_id=acme.tenant_id, leavers=leavers)
    assert_comes_back_unchanged(shared_desk, Kind.EMPLOYEES)


@RUNS
@given(st.lists(printable.filter(bool), min_size=1, max_size=5), st.booleans())
def test_units(shared_desk: Desk, names: list[str], twins: bool) -> None:  # noqa: FBT001
    acme = shared_desk.company
    with acme.transaction() as session:
        for name in [*names, *(names if twins else [])]:
            add_unit(
                session,
                acme.clock,
                tenant_id=acme.tenant_id,
                parent_id=acme.branch_id,
                kind=UnitKind.TEAM,
                name=name,
            )
    assert_comes_back_unchanged(shared_desk, Kind.UNITS)


degrees = st.floats(-1, 1).map(lambda part: part / 7)


@RUNS
@given(
    st.lists(
        st.tuples(
            printable,
            st.none() | printable,
            st.none() | st.tuples(degrees, degrees),
            st.floats(20, 50_000),
            st.booleans(),
        ),
        min_size=1,
        max_size=6,
    )
)
def test_sites(
    shared_desk: Desk,
    rows: list[tuple[str, str | None, tuple[float, float] | None, float, bool]],
) -> None:
    acme = shared_desk.company
    sites = [
        SiteFacts(
            number=unique(name[:10]),
            name=unique(name),
            unit_id=acme.branch_id,
            address=address,
            position=place and (121.4 + place[0], 31.2 + place[1]),
            radius_m=radius_m,
            active=active,
        )
        for name, address, place, radius_m, active in rows
    ]
    with acme.transaction() as session:
        add_sites(session, acme.clock, tenant_id=acme.tenant_id, sites=sites)
    assert_comes_back_unchanged(shared_desk, Kind.SITES)


@RUNS
@given(
    st.lists(
        st.tuples(
            printable,
            st.none() | printable,
            degrees,
            degrees,
            st.sampled_from(["circle", "square", "holed", "two"]),
            st.integers(0, 86_400),
            st.none() | st.floats(0, 10_000),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_posts(
    shared_desk: Desk, rows: list[tuple[str, str | None, float, float, str, int, float]]
) -> None:
    acme = shared_desk.company
    with acme.transaction() as session:
        for name, address, east, north, kind, grace_s, buffer_m in rows:
            post_id = create_post(
                session,
                acme.clock,
                tenant_id=acme.tenant_id,
                unit_id=acme.branch_id,
                name=unique(name),
                zone=ZONE,
                shape=shape_of(kind, 121.4 + east, 31.2 + north),
                address=address,
                grace_s=grace_s,
                buffer_m=buffer_m,
            )
            if kind == "two":
                reshape_post(
                    session,
                    acme.clock,
                    tenant_id=acme.tenant_id,
                    post_id=post_id,
                    shape=shape_of("circle", 121.4, 31.2),
                )
    assert_comes_back_unchanged(shared_desk, Kind.POSTS)


def shape_of(kind: str, lon: float, lat: float) -> dict[str, object]:
    if kind == "circle":
        return {"type": "Point", "coordinates": [lon, lat], "radius_m": 20 + abs(lon) / 3}
    if kind == "two":
        rings = [[ring(lon, lat, 0.01)], [ring(lon + 0.1, lat, 0.01)]]
        return {"type": "MultiPolygon", "coordinates": rings}
    holes = [ring(lon, lat, 0.004)] if kind == "holed" else []
    return {"type": "Polygon", "coordinates": [ring(lon, lat, 0.01), *holes]}


def ring(lon: float, lat: float, half: float) -> list[list[float]]:
    corners = [(-half, -half), (half, -half), (half, half), (-half, half), (-half, -half)]
    return [[lon + x, lat + y] for x, y in corners]


def test_a_shape_longer_than_a_cell_comes_back(shared_desk: Desk) -> None:
    acme = shared_desk.company
    turns = [n * 2 * pi / 4_000 for n in range(4_000)]
    corners = [[121.4 + 0.1 * cos(t), 31.2 + 0.1 * sin(t)] for t in turns]
    with acme.transaction() as session:
        create_post(
            session,
            acme.clock,
            tenant_id=acme.tenant_id,
            unit_id=acme.branch_id,
            name=unique("round"),
            zone=ZONE,
            shape={"type": "Polygon", "coordinates": [[*corners, corners[0]]]},
        )
    assert_comes_back_unchanged(shared_desk, Kind.POSTS)


@RUNS
@given(
    st.lists(
        st.tuples(
            printable.filter(bool),
            st.sampled_from([(9, 18), (22, 6), (0, 0)]),
            st.integers(0, 6),
            st.booleans(),
        ),
        min_size=1,
        max_size=4,
        unique_by=lambda row: row[2] // 2,
    )
)
def test_rosters(shared_desk: Desk, rows: list[tuple[str, tuple[int, int], int, bool]]) -> None:
    acme = shared_desk.company
    person_id = acme.hire(unique("某"))
    with acme.transaction() as session:
        session.execute(
            text("UPDATE roster_entries SET cancelled_at = now() WHERE cancelled_at IS NULL")
        )
        wanted = []
        for name, (starts, ends), day, at_post in rows:
            shift = create_shift(
                session,
                tenant_id=acme.tenant_id,
                name=unique(name),
                starts=time(starts),
                ends=time(ends),
            )
            wanted.append(
                Assignment(
                    employee_id=person_id,
                    shift_id=shift,
                    on_date=DAY + timedelta(days=day // 2 * 2 - 2),
                    post_id=acme.post_id if at_post else None,
                )
            )
        assign_shifts(session, acme.clock, tenant_id=acme.tenant_id, assignments=wanted)
    assert_comes_back_unchanged(
        shared_desk, Kind.ROSTER, DAY - timedelta(days=9), DAY + timedelta(days=9)
    )


@pytest.mark.parametrize("kind", list(Kind))
def test_an_empty_template_has_no_rows_and_all_columns(kind: Kind) -> None:
    for locale in ("zh", "en"):
        content = write_file(kind, FileFormat.CSV, [], locale=locale)
        header = content.decode("utf-8-sig").strip().split(",")
        assert len(set(match_header(header, kind).values())) == len(header)
