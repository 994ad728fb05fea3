"""Importing cell files into a real database, and looking cells up in it."""

import gzip
import io
import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session, sessionmaker

from fixtures.cellfile import write_cell_file
from fixtures.stack import DatabaseUrls
from geo.cell_files import read_cell_file
from geo.cell_identity import CellId, Radio, network_code
from geo.cell_table import COLUMNS
from geo.cells import CellPlace, CellSeen, CellUnknown, locate_cells
from geo.crs import Datum, convert_point
from server.cells import queries
from server.cells.services import Imported, Progress, import_cells
from server.clock import ManualClock
from server.db.engine import make_engine, make_session_factory
from server.db.session import unit_of_work
from server.errors import InvalidInput

NOW = datetime(2026, 11, 18, 2, 0, tzinfo=UTC)
HEADER = ",".join(COLUMNS)
TENANT = 1


def row(
    cell: int,
    *,
    area: int = 9_711,
    lon: float = 113.83,
    lat: float = 22.60,
    updated: int = 1_750_000_000,
    samples: int = 60,
) -> str:
    return f"LTE,460,0,{area},{cell},,{lon},{lat},420,{samples},1,1700000000,{updated},-90"


def file_of(*rows: str, header: str = HEADER) -> bytes:
    return "\n".join([header, *rows, ""]).encode()


def stream_of(content: bytes) -> io.BufferedReader:
    return cast("io.BufferedReader", io.BufferedReader(io.BytesIO(content)))


class Tables:
    """A database with commands to import into it and to ask it."""

    def __init__(self, owner: sessionmaker[Session], app: sessionmaker[Session]) -> None:
        self.owner, self.app = owner, app
        self.clock = ManualClock(NOW)

    def bring(self, content: bytes, *, source: str = "mls", **options: Any) -> Imported:
        self.clock.advance(timedelta(seconds=1))
        with unit_of_work(self.owner, tenant_id=None) as session:
            return import_cells(
                session,
                self.clock,
                stream_of(content),
                source=source,
                file_name="cells.csv",
                **options,
            )

    def ask(self, *cells: CellSeen) -> CellPlace | CellUnknown:
        with unit_of_work(self.app, tenant_id=TENANT) as session:
            return queries.locate(session, cells, tenant_id=TENANT, now=NOW)

    def lon_of(self, cell: int) -> float:
        found = self.ask(seen(cell))
        assert isinstance(found, CellPlace), found
        return found.lon_deg

    def rows(self) -> list[tuple[Any, ...]]:
        with unit_of_work(self.owner, tenant_id=None) as session:
            found = session.execute(
                text(
                    "SELECT network, cell, area, lon_deg, lat_deg, range_m, samples, is_exact, "
                    "updated_at FROM cells ORDER BY 1, 2, 3, 4, 5, 9"
                )
            )
            return [tuple(r) for r in found]

    def partitions(self) -> list[str]:
        with unit_of_work(self.owner, tenant_id=None) as session:
            return list(
                session.scalars(
                    text("SELECT relname FROM pg_class WHERE relname ~ '^cells_p[0-9_]+$'")
                )
            )


def seen(cell: int | None, *, area: int | None = 9_711) -> CellSeen:
    return CellSeen(radio=Radio.LTE, mcc=460, mnc=0, area=area, cell=cell)


@pytest.fixture
def app_engine(database: DatabaseUrls) -> Iterator[Engine]:
    engine = make_engine(database.app, pool_size=1)
    yield engine
    engine.dispose()


@pytest.fixture
def tables(database: DatabaseUrls, app_engine: Engine) -> Iterator[Tables]:
    owner = make_engine(database.owner, pool_size=2)
    yield Tables(make_session_factory(owner), make_session_factory(app_engine))
    owner.dispose()


def test_a_file_is_imported_as_it_is(tables: Tables) -> None:
    told: list[Progress] = []
    done = tables.bring(
        file_of(row(1), row(2, lon=113.84), row(3, area=12, lon=114.5)), progress=told.append
    )
    assert (done.rows, done.cells, done.areas, done.rejected) == (3, 3, 2, {})
    with unit_of_work(tables.app, tenant_id=TENANT) as session:
        (source,) = queries.list_sources(session)
    lte = queries.NetworkName("lte", 460, 0)
    assert source.networks == (queries.NetworkCells(network=lte, cells=3, areas=2),)
    assert told[-1].rows == 3
    assert tables.rows()[0] == (
        network_code(Radio.LTE, mcc=460, mnc=0), 1, 9_711, 113.83, 22.60, 420.0, 60, False,
        datetime.fromtimestamp(1_750_000_000, UTC),
    )  # fmt: skip
    assert tables.lon_of(2) == 113.84


def test_unknown_numbers_are_null_never_zero(tables: Tables) -> None:
    tables.bring(
        file_of(
            "GSM,460,0,4282,1374,,116.4,39.9,,,0,,,",
            "NR,460,15,16777215,68719476735,,116.4,39.9,0,7,1,0,1750000000,0",
            "CDMA,460,13825,9,77,,116.4,39.9,500,0,1,0,0,0",
        )
    )
    kept = [r[5:] for r in tables.rows()]
    at = datetime.fromtimestamp(1_750_000_000, UTC)
    assert kept == [(None, 0, True, None), (None, 7, False, at), (500.0, 0, False, None)]


def test_packed_and_plain_files_end_in_the_same_rows(tables: Tables) -> None:
    rows = [row(i, area=1 + i % 7, lon=113 + i / 1_000) for i in range(1, 3_000)]
    tables.bring(file_of(*rows))
    plain = tables.rows()
    random.Random(1).shuffle(rows)
    tables.bring(gzip.compress(file_of(*rows)), replace=True)
    assert tables.rows() == plain
    assert len(tables.partitions()) == 1


def test_bad_rows_are_counted_with_reasons_and_kept(tables: Tables) -> None:
    done = tables.bring(file_of(row(1), row(2, area=65_535), "x,y", row(0), row(3, lon=400)))
    assert (done.rows, done.cells) == (1, 1)
    reasons = {"area_reserved": 1, "cell_reserved": 1, "columns": 1, "position": 1}
    assert done.rejected == reasons
    with unit_of_work(tables.app, tenant_id=None) as session:
        (source,) = queries.list_sources(session)
    assert (source.name, source.cells, source.rejected) == ("mls", 1, reasons)


@pytest.mark.parametrize("big_first", [True, False])
def test_importing_again_updates_what_is_newer_and_keeps_the_rest(
    tables: Tables, *, big_first: bool
) -> None:
    big = [row(i, updated=1_750_000_000) for i in range(1, 21)]
    small = [row(1, lon=114.1, updated=1_760_000_000), row(2, lon=114.2, updated=1_740_000_000),
             row(3, lon=114.3, updated=1_750_000_000), row(99, lon=114.4)]  # fmt: skip
    first, second = (big, small) if big_first else (small, big)
    tables.bring(file_of(*first))
    done = tables.bring(file_of(*second))
    assert done.cells == 21
    assert tables.lon_of(1) == 114.1
    assert tables.lon_of(2) == 113.83
    # Of the same age, the row that came last stays.
    assert tables.lon_of(3) == (114.3 if big_first else 113.83)
    assert (tables.lon_of(20), tables.lon_of(99)) == (113.83, 114.4)
    assert len(tables.partitions()) == 1


def test_importing_the_same_file_twice_changes_nothing(tables: Tables) -> None:
    content = file_of(*(row(i) for i in range(1, 30)))
    tables.bring(content)
    before = tables.rows()
    assert tables.bring(content).cells == 29
    assert tables.rows() == before


def test_replacing_forgets_what_the_file_lacks(tables: Tables) -> None:
    tables.bring(file_of(row(1), row(2)))
    assert tables.bring(file_of(row(2)), replace=True).cells == 1
    # The area is known still, the cell is not.
    found = tables.ask(seen(1))
    assert isinstance(found, CellPlace)
    assert found.is_area


def test_sources_stand_side_by_side(tables: Tables) -> None:
    tables.bring(file_of(row(1), row(5)))
    tables.bring(file_of(row(1, lon=113.832), row(6)), source="opencellid")
    assert 113.83 < tables.lon_of(1) < 113.832
    assert tables.lon_of(5) == tables.lon_of(6) == 113.83
    assert len(tables.partitions()) == 2
    tables.bring(file_of(row(1, lon=120.0, updated=1_750_000_100)), source="opencellid")
    found = tables.ask(seen(1))
    assert isinstance(found, CellPlace)
    assert found.notes == ("conflict",)
    assert found.accuracy_m > 600_000


def test_a_file_that_fails_leaves_everything_as_it_was(tables: Tables) -> None:
    tables.bring(file_of(row(1)))
    before, parts = tables.rows(), tables.partitions()
    for content in (
        b"", b"\n\n", b"<html></html>\n", file_of(), file_of("LTE,1,2"),
        gzip.compress(file_of(*(row(i) for i in range(1, 5_000))))[:-40],
        b"\x1f\x8bgarbage", b"radio,mcc\n", b"x" * 10_000_000,
    ):  # fmt: skip
        with pytest.raises(InvalidInput):
            tables.bring(content)
    assert tables.rows() == before
    assert tables.partitions() == parts
    assert tables.lon_of(1) == 113.83


def test_an_import_that_dies_at_its_end_leaves_everything_as_it_was(tables: Tables) -> None:
    tables.bring(file_of(row(1)))
    before, parts = tables.rows(), tables.partitions()

    def die_after_the_swap() -> None:
        with unit_of_work(tables.owner, tenant_id=None) as session:
            content = stream_of(file_of(row(1, lon=1.0), row(2)))
            import_cells(session, tables.clock, content, source="mls", file_name="x")
            session.execute(text("SELECT 1/0"))

    with pytest.raises(Exception, match="division by zero"):
        die_after_the_swap()
    assert tables.rows() == before
    assert tables.partitions() == parts


def test_positions_are_stored_in_wgs84(tables: Tables) -> None:
    tables.bring(file_of(row(1)), datum=Datum.GCJ02)
    lon, _ = convert_point(lon_deg=113.83, lat_deg=22.60, source=Datum.GCJ02, target=Datum.WGS84)
    assert tables.lon_of(1) == lon


def test_a_lookup_of_many_cells_with_fallback_is_one_statement(
    tables: Tables,
    app_engine: Engine,
    statement_counter: Callable[[Engine], AbstractContextManager[Any]],
) -> None:
    tables.bring(file_of(*(row(i, lon=113 + i / 10_000) for i in range(1, 200))))
    cells = [seen(i) for i in range(1, 20)] + [seen(999), seen(5, area=None), seen(None)]
    with unit_of_work(tables.app, tenant_id=TENANT) as session:
        with statement_counter(app_engine) as counted:
            found = queries.locate(session, cells, tenant_id=TENANT, now=NOW)
        assert isinstance(found, CellPlace)
        assert counted.count == 1
        with statement_counter(app_engine) as counted:
            unknown = queries.locate(session, [seen(999)], tenant_id=TENANT, now=NOW)
        assert isinstance(unknown, CellPlace)
        assert unknown.is_area
        assert unknown.accuracy_m >= 5_000
        assert counted.count == 1


def test_a_lookup_uses_the_index_of_every_source(tables: Tables) -> None:
    tables.bring(file_of(*(row(i, lon=113 + i / 10_000) for i in range(1, 5_000))))
    with unit_of_work(tables.owner, tenant_id=None) as session:
        plan = "\n".join(
            session.scalars(
                text(
                    "EXPLAIN SELECT * FROM cells "
                    "WHERE network = 2460000 AND cell = 5 AND area = 9711"
                )
            )
        )
    assert "Index" in plan
    assert "Seq Scan" not in plan


def test_the_database_answers_like_the_file_on_the_command_line(
    tables: Tables, tmp_path: Path
) -> None:
    path = tmp_path / "cells.csv"
    write_cell_file(path, rows=1_500)
    far_off = [row(i, area=77, lon=113 + i / 1_000) for i in range(1, 30)]
    far_off += [row(99, area=77, lon=75.0), row(5, area=77, lon=115.0)]
    content = path.read_bytes() + "\n".join([*far_off, ""]).encode()
    tables.bring(content)
    table = read_cell_file(content)
    cells = table.cells
    asked = [
        CellId(int(cells.network[i]), int(cells.area[i]), int(cells.cell[i]) + shift)
        for i in range(0, len(cells), 10)
        for shift in (0, 1)
    ]
    kinds: Counter[tuple[str, bool | None]] = Counter()
    for name in [*asked, CellId(2_460_000, 77, 5), CellId(2_460_000, 77, 1_000)]:
        heard = CellSeen(
            radio=name.radio, mcc=460, mnc=name.network % 1_000, area=name.area, cell=name.cell
        )
        by_file = locate_cells(
            [heard],
            records=table.records_of([name]),
            areas=table.areas_of([name]),
            now_s=NOW.timestamp(),
        )
        by_database = tables.ask(heard)
        kinds[type(by_file).__name__, getattr(by_file, "is_area", None)] += 1
        assert type(by_database) is type(by_file)
        if isinstance(by_file, CellPlace) and isinstance(by_database, CellPlace):
            assert by_database.used == by_file.used
            assert by_database.notes == by_file.notes
            for figure in ("lon_deg", "lat_deg", "accuracy_m"):
                expected = pytest.approx(getattr(by_file, figure), rel=1e-9)
                assert getattr(by_database, figure) == expected, (name, figure)
    assert len(kinds) >= 2, kinds


def test_impossible_cells_cost_no_statement(
    tables: Tables,
    app_engine: Engine,
    statement_counter: Callable[[Engine], AbstractContextManager[Any]],
) -> None:
    with (
        unit_of_work(tables.app, tenant_id=TENANT) as session,
        statement_counter(app_engine) as counted,
    ):
        found = queries.locate(session, [seen(0)], tenant_id=TENANT, now=NOW)
    assert found == CellUnknown(reason="cell_invalid", dropped={"cell_reserved": 1})
    # Only the wall was set before counting began.
    assert counted.count == 0


def test_the_version_grows_with_every_import(tables: Tables) -> None:
    def version() -> int:
        with unit_of_work(tables.app, tenant_id=TENANT) as session:
            return queries.cells_version(session, tenant_id=TENANT)

    versions = [version()]
    for _ in range(2):
        tables.bring(file_of(row(1)))
        versions.append(version())
    assert versions[0] == 0
    assert versions == sorted(set(versions))


def test_learned_cells_answer_for_their_tenant_alone(tables: Tables) -> None:
    with unit_of_work(tables.owner, tenant_id=None) as session:
        session.execute(
            text(
                "INSERT INTO learned_cells (tenant_id, network, cell, area, lon_deg, lat_deg, "
                "range_m, samples, devices, days, first_seen_at, last_seen_at, learned_at) "
                "VALUES (:tenant, 2460000, 8, 9711, 113.9, 22.6, 300, 50, 4, 5, "
                "now(), now(), now())"
            ),
            {"tenant": TENANT},
        )
    assert tables.lon_of(8) == 113.9
    # And their area answers for cells nobody met, until a table from outside knows it better.
    area = tables.ask(seen(9))
    assert isinstance(area, CellPlace)
    assert (area.is_area, area.lon_deg) == (True, 113.9)
    assert area.accuracy_m > 15_000
    with unit_of_work(tables.app, tenant_id=TENANT + 1) as session:
        foreign = queries.locate(session, [seen(8)], tenant_id=TENANT + 1, now=NOW)
    assert foreign == CellUnknown(reason="not_found")
    # Also when somebody asks in the name of another.
    with unit_of_work(tables.app, tenant_id=TENANT + 1) as session:
        stolen = queries.locate(session, [seen(8)], tenant_id=TENANT, now=NOW)
    assert stolen == CellUnknown(reason="not_found")
