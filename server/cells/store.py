"""Writing of cell tables: binary COPY into a table of its own, then one swap.

An import never touches the rows people look things up in until it is complete: it fills a
new partition beside the old one and takes its place at the end of the transaction.
"""

import struct
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import psycopg
from sqlalchemy.orm import Session

from geo.cell_areas import AreaMoments
from geo.cell_footprint import AreaRecord
from geo.cell_table import CellColumns

Cursor = psycopg.Cursor[tuple[Any, ...]]

_HEADER: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TRAILER: Final = b"\xff\xff"
_PG_EPOCH_S: Final = datetime(2000, 1, 1, tzinfo=UTC).timestamp()
_COLUMNS: Final = (
    "network, cell, area, source_id, lon_deg, lat_deg, samples, is_exact, range_m, updated_at"
)
# Every column in PostgreSQL's binary COPY format: its length, then its value. The last two
# may be null, which is a length of -1 and no value.
_FIELDS: Final = (
    ("network", ">i4"), ("cell", ">i8"), ("area", ">i4"), ("source_id", ">i2"),
    ("lon_deg", ">f8"), ("lat_deg", ">f8"), ("samples", ">i4"), ("is_exact", "?"),
    ("range_m", ">f4"), ("updated_at", ">i8"),
)  # fmt: skip
_NULLABLE: Final = ("range_m", "updated_at")
_KEY: Final = "network, cell, area"
_AREAS_AT_ONCE: Final = 20_000


def cursor_of(session: Session) -> Cursor:
    """Return a cursor of psycopg inside the session's transaction."""
    raw = session.connection().connection.driver_connection
    if not isinstance(raw, psycopg.Connection):
        raise TypeError("importing needs psycopg")
    return raw.cursor()


def partition_name(source_id: int, imports: int) -> str:
    """Return the name of the partition that the n-th import of a source fills."""
    return f"cells_p{source_id}_{imports}"


def create_partition(cursor: Cursor, table: str) -> None:
    """Make an empty table like `cells`, without its index yet: sorting once is cheaper."""
    cursor.execute(f"CREATE TABLE {table} (LIKE cells INCLUDING CONSTRAINTS INCLUDING DEFAULTS)")


def copy_statement(table: str) -> str:
    """Return the COPY that takes `frames`, between `HEADER` and `TRAILER`.

    The table was made by the same transaction, so its rows can be frozen at once: nobody has
    to look again later whether they may be seen.
    """
    return f"COPY {table} ({_COLUMNS}) FROM STDIN (FORMAT binary, FREEZE)"


HEADER, TRAILER = _HEADER, _TRAILER


def frames(cells: CellColumns, source_id: int) -> Iterator[memoryview]:
    """Yield rows as COPY of `copy_statement` takes them."""
    has_range, has_time = ~np.isnan(cells.range_m), ~np.isnan(cells.updated_s)
    micros = np.zeros(len(cells), dtype=np.int64)
    micros[has_time] = ((cells.updated_s[has_time] - _PG_EPOCH_S) * 1e6).astype(np.int64)
    values: dict[str, npt.ArrayLike] = {
        "network": cells.network,
        "cell": cells.cell,
        "area": cells.area,
        "source_id": source_id,
        "lon_deg": cells.lon_deg,
        "lat_deg": cells.lat_deg,
        "samples": cells.samples,
        "is_exact": cells.is_exact,
        "range_m": cells.range_m,
        "updated_at": micros,
    }
    # Rows go by which of their values are null, so that all of a kind are equally long.
    kind = has_range + 2 * has_time
    for pattern in range(4):
        rows = np.flatnonzero(kind == pattern)
        if len(rows):
            nulls = {n for bit, n in enumerate(_NULLABLE) if not pattern >> bit & 1}
            yield _frame(values, rows if len(rows) < len(cells) else None, len(rows), nulls)


def _frame(
    values: dict[str, npt.ArrayLike], rows: npt.NDArray[np.int64] | None, n: int, nulls: set[str]
) -> memoryview:
    layout: list[tuple[str, str]] = [("fields", ">i2")]
    for name, kind in _FIELDS:
        layout.append((f"{name}_length", ">i4"))
        layout += [] if name in nulls else [(name, kind)]
    frame = np.empty(n, dtype=layout)
    frame["fields"] = len(_FIELDS)
    for name, kind in _FIELDS:
        frame[f"{name}_length"] = -1 if name in nulls else np.dtype(kind).itemsize
        if name not in nulls:
            column = np.asarray(values[name])
            frame[name] = column if rows is None or column.ndim == 0 else column[rows]
    return frame.data.cast("B")


def add_index(cursor: Cursor, table: str) -> None:
    """Give a filled partition the index that lookups use."""
    cursor.execute(f"CREATE INDEX ON {table} (cell, network, area)")


def merge_older(cursor: Cursor, *, old: str, new: str) -> str:
    """Join what a source had with what it brings; return the table that holds all.

    Of one cell the rows measured last stay, the new ones when both are of the same time. The
    smaller table is merged into the larger; both are indexed.
    """
    into, other = (old, new) if count_rows(cursor, new) < count_rows(cursor, old) else (new, old)
    # What loses against the other table: the old row unless it is newer.
    loses = ">=" if into == old else ">"
    wins = ">" if into == old else ">="
    cursor.execute(
        f"DELETE FROM {into} i USING {other} o "  # noqa: S608  # constants
        f"WHERE {_same('i', 'o')} AND {_time('o')} {loses} {_time('i')}"
    )
    cursor.execute(
        f"INSERT INTO {into} ({_COLUMNS}) SELECT {_COLUMNS} FROM {other} o "  # noqa: S608
        f"WHERE NOT EXISTS (SELECT FROM {into} i WHERE {_same('i', 'o')} "
        f"AND {_time('i')} {wins} {_time('o')})"
    )
    if into == old:
        cursor.execute(f"DROP TABLE {new}")
    return into


def _same(one: str, other: str) -> str:
    return " AND ".join(f"{one}.{name} = {other}.{name}" for name in _KEY.split(", "))


def _time(alias: str) -> str:
    return f"coalesce({alias}.updated_at, '-infinity')"


def count_rows(cursor: Cursor, table: str) -> int:
    """Return how many rows a table has."""
    row = cursor.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608  # constants
    return 0 if row is None else int(row[0])


def analyze(cursor: Cursor, table: str) -> None:
    """Gather statistics, so that lookups are planned well from the first one on."""
    cursor.execute(f"ANALYZE {table}")


def swap_partition(cursor: Cursor, *, source_id: int, old: str | None, new: str) -> None:
    """Let a filled table take the place of the source's partition."""
    if old == new:
        return
    if old is not None:
        cursor.execute(f"DROP TABLE {old}")
    cursor.execute(f"ALTER TABLE cells ATTACH PARTITION {new} FOR VALUES IN ({source_id})")


def area_moments(cursor: Cursor, table: str) -> Iterator[AreaMoments]:
    """Yield the moments of all areas of a partition, some thousands at a time; one pass over it."""
    cursor.execute(
        f"CREATE TEMPORARY TABLE moments ON COMMIT DROP AS "  # noqa: S608  # constants
        f"SELECT network, area, avg(lon_deg) AS lon, avg(lat_deg) AS lat, "
        f"stddev_pop(lon_deg) AS lon_deviation, stddev_pop(lat_deg) AS lat_deviation, "
        f"coalesce(avg(range_m), 0)::float8 AS reach, count(*)::int4 AS cells "
        f"FROM {table} GROUP BY network, area"
    )
    with cursor.connection.cursor(name="area_moments") as rows:
        rows.execute("SELECT * FROM moments")
        while some := rows.fetchmany(_AREAS_AT_ONCE):
            column = np.array(some, dtype=np.float64).T
            network, area, cells = (column[i].astype(np.int64) for i in (0, 1, 7))
            yield AreaMoments(
                network, area, column[2], column[3], column[4], column[5], column[6], cells
            )
    cursor.execute("DROP TABLE moments")


def cells_of_areas(
    cursor: Cursor, table: str, keys: Sequence[tuple[int, int]]
) -> Iterator[tuple[tuple[int, int], CellColumns]]:
    """Yield the places and ranges of the cells of some areas, one area at a time."""
    if not keys:
        return
    with cursor.connection.cursor(name="cells_of_areas") as rows:
        rows.execute(
            f"SELECT network, area, lon_deg, lat_deg, range_m FROM {table} "  # noqa: S608
            "JOIN unnest(%s::int[], %s::int[]) AS wanted (network, area) USING (network, area) "
            "ORDER BY network, area, cell",
            ([network for network, _ in keys], [area for _, area in keys]),
        )
        for key, group in groupby(rows, key=lambda row: (row[0], row[1])):
            places = np.array([row[2:] for row in group], dtype=np.float64)
            columns = places[:, 0], places[:, 1], places[:, 2]
            none = np.zeros(len(places), dtype=np.int64)
            yield (
                key,
                CellColumns(none, none, none, *columns, none, none == 1, columns[2]),
            )


def clear_areas(cursor: Cursor, *, source_id: int) -> None:
    """Forget all areas of a source."""
    cursor.execute("DELETE FROM cell_areas WHERE source_id = %s", (source_id,))


def add_areas(cursor: Cursor, areas: Iterable[AreaRecord], *, source_id: int) -> int:
    """Add areas of a source; returns how many."""
    row = struct.Struct("!hiiiiihidididii")
    count = 0
    with cursor.copy(
        "COPY cell_areas (network, area, source_id, lon_deg, lat_deg, radius_m, cells) "
        "FROM STDIN (FORMAT binary)"
    ) as copy:
        copy.write(_HEADER)
        for a in areas:
            copy.write(
                row.pack(7, 4, a.network, 4, a.area, 2, source_id, 8, a.lon_deg, 8, a.lat_deg,
                         8, a.radius_m, 4, a.cells)
            )  # fmt: skip
            count += 1
        copy.write(_TRAILER)
    return count
