"""Bringing a cell file in: read, checked, copied and swapped in, all or nothing a source."""

import gzip
import io
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Final

import numpy as np
from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from geo.cell_areas import AreaMoments, AreaSums, robust_area
from geo.cell_footprint import AreaRecord, CellPolicy
from geo.cell_table import CellTable
from geo.crs import Datum
from geo.errors import GeoError
from server.cells import store
from server.cells.models import CellSource
from server.clock import Clock
from server.errors import InvalidInput

_CHUNK_BYTES: Final = 1 << 20
_AREAS_AT_ONCE: Final = 20_000
_MAX_NAME_CHARS: Final = 60
_LIMITS: Final = (
    # One import may take minutes; nobody waits for its locks before the swap at its end.
    "SET LOCAL statement_timeout = 0",
    "SET LOCAL maintenance_work_mem = '256MB'",
    "SET LOCAL work_mem = '64MB'",
    "SET LOCAL lock_timeout = '60s'",
)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a file has been read."""

    bytes_read: int
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What became of a file.

    Attributes
    ----------
    rows : usable rows of the file.
    cells : rows of the source, now, with those that were there and the file lacks.
    rejected : rows left out, by reason.
    """

    source: str
    rows: int
    cells: int
    areas: int
    rejected: dict[str, int]


def import_cells(
    session: Session,
    clock: Clock,
    stream: io.BufferedReader,
    *,
    source: str,
    file_name: str,
    datum: Datum = Datum.WGS84,
    replace: bool = False,
    imported_by: str | None = None,
    progress: Callable[[Progress], None] | None = None,
    policy: CellPolicy | None = None,
) -> Imported:
    """Import a cell file of OpenCelliD or MLS in the caller's transaction.

    Until the caller commits, everybody goes on reading what the source had before; when
    anything fails, that is all there is. Importing a source again updates it: of one cell the
    row measured last stays, and cells that the file lacks stay unless `replace` is set.

    Parameters
    ----------
    session : of the owner, without a tenant.
    clock : stamps the import.
    stream : the file, plain or gzip; read once, some megabytes in memory.
    source : name of the table it updates, like ``opencellid``.
    file_name : kept for the list of sources.
    datum : of the file's positions; they are stored in WGS-84.
    imported_by : who brings it, for the list of sources.
    progress : told after each chunk.
    policy : thresholds, the defaults when left out.

    Raises
    ------
    InvalidInput : ``not_cells``: no such file, cut off, or without a usable row.
    """
    policy = policy or CellPolicy()
    if not source or len(source) > _MAX_NAME_CHARS or not source.isprintable():
        raise InvalidInput("source_name", f"a source has a name of 1 to {_MAX_NAME_CHARS} signs")
    for statement in _LIMITS:
        session.execute(text(statement))
    row = _claim(session, clock, source=source, file_name=file_name, datum=datum)
    cursor = store.cursor_of(session)
    old = store.partition_name(row.id, row.imports) if row.cells else None
    row.imports += 1
    new = store.partition_name(row.id, row.imports)
    store.create_partition(cursor, new)
    sums = AreaSums()
    rows, rejected = _fill(
        cursor, new, stream, source_id=row.id, datum=datum, sums=sums, progress=progress
    )
    if not rows:
        raise InvalidInput("not_cells", f"{file_name}: no usable cell in it")
    store.add_index(cursor, new)
    if old is None or replace:
        table, row.cells = new, rows
        moments = sums.moments().parts(_AREAS_AT_ONCE)
    else:
        table = store.merge_older(cursor, old=old, new=new)
        row.cells = store.count_rows(cursor, table)
        moments = store.area_moments(cursor, table)
    store.analyze(cursor, table)
    networks: dict[int, list[int]] = {}
    row.areas = _replace_areas(
        cursor, table, _counted(moments, networks), source_id=row.id, policy=policy
    )
    row.networks = {str(network): counts for network, counts in sorted(networks.items())}
    row.imported_by = imported_by
    row.rejected = dict(sorted(rejected.items()))
    if table == old:
        row.imports -= 1
    session.flush()
    # Lookups wait from here on until the caller commits, so it comes last.
    store.swap_partition(cursor, source_id=row.id, old=old, new=table)
    return Imported(
        source=source,
        rows=rows,
        cells=row.cells,
        areas=row.areas,
        rejected=row.rejected,
    )


def _claim(
    session: Session, clock: Clock, *, source: str, file_name: str, datum: Datum
) -> CellSource:
    """Lock the row of the source, so that imports of one source come one after the other."""
    values = {"datum": datum, "file": file_name, "imported_at": clock.now()}
    session.execute(
        insert(CellSource)
        .values(name=source, **values)
        .on_conflict_do_update(index_elements=[CellSource.name], set_=values)
    )
    return session.execute(
        select(CellSource)
        .where(CellSource.name == source)
        .execution_options(populate_existing=True)
    ).scalar_one()


def _fill(
    cursor: store.Cursor,
    table: str,
    stream: io.BufferedReader,
    *,
    source_id: int,
    datum: Datum,
    sums: AreaSums,
    progress: Callable[[Progress], None] | None,
) -> tuple[int, Counter[str]]:
    """Copy the usable rows of a file into a table and add them to the sums of their areas."""
    rows, read = 0, 0
    rejected: Counter[str] = Counter()
    chunks = _chunks(stream)
    try:
        first = next(chunks, b"")
        head, _, rest = first.partition(b"\n")
        reader = CellTable(head, datum=datum)
        if not reader.has_header:
            rest = first
        with cursor.copy(store.copy_statement(table)) as copy:
            copy.write(store.HEADER)
            for part in _ahead(_parts(reader, _with(rest, chunks), sums, source_id=source_id)):
                for frame in part.frames:
                    copy.write(frame)
                rejected += part.rejected
                rows += part.rows
                read += part.bytes_read
                if progress is not None:
                    progress(Progress(read, rows))
            copy.write(store.TRAILER)
    except GeoError as error:
        raise InvalidInput("not_cells", error.detail) from None
    except (OSError, EOFError, zlib.error) as error:
        raise InvalidInput("not_cells", f"the file breaks off: {error}") from None
    return rows, rejected


@dataclass(frozen=True, slots=True)
class _Part:
    """Some rows of a file, ready to be sent."""

    frames: list[memoryview]
    rows: int
    bytes_read: int
    rejected: Counter[str]


def _parts(
    reader: CellTable, chunks: Iterable[bytes], sums: AreaSums, *, source_id: int
) -> Iterator[_Part]:
    for chunk in chunks:
        cells, rejected = reader.parse(chunk)
        sums.add(cells)
        yield _Part(list(store.frames(cells, source_id)), len(cells), len(chunk), rejected)


def _ahead(parts: Iterator[_Part]) -> Iterator[_Part]:
    """Make the next part in a thread while the database takes the one before."""
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, parts, None)
        while (part := coming.result()) is not None:
            coming = pool.submit(next, parts, None)
            yield part


def _with(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    if first:
        yield first
    yield from rest


def _chunks(stream: io.BufferedReader) -> Iterator[bytes]:
    """Yield whole lines, a megabyte or so at a time, unpacked when they are gzip."""
    packed = stream.peek(2)[:2] == b"\x1f\x8b"
    source = gzip.GzipFile(fileobj=stream) if packed else stream
    rest = b""
    while block := source.read(_CHUNK_BYTES):
        lines, end, begun = (rest + block).rpartition(b"\n")
        rest = begun
        if end:
            yield lines + end
        elif len(rest) > 8 * _CHUNK_BYTES:
            raise InvalidInput("not_cells", "a line of megabytes is no cell")
    if rest:
        yield rest + b"\n"


def _replace_areas(
    cursor: store.Cursor,
    table: str,
    parts: Iterable[AreaMoments],
    *,
    source_id: int,
    policy: CellPolicy,
) -> int:
    """Make the areas of a source anew; returns how many there are."""
    store.clear_areas(cursor, source_id=source_id)
    count = 0
    wide: list[tuple[int, int]] = []
    for moments in parts:
        areas, doubtful = _believed(moments, policy)
        count += store.add_areas(cursor, areas, source_id=source_id)
        wide += doubtful
    robust = (
        robust_area(network, area, cells, policy=policy)
        for (network, area), cells in store.cells_of_areas(cursor, table, wide)
    )
    found = (area for area in robust if area is not None)
    while some := list(islice(found, _AREAS_AT_ONCE)):
        count += store.add_areas(cursor, some, source_id=source_id)
    return count


def _counted(parts: Iterable[AreaMoments], networks: dict[int, list[int]]) -> Iterator[AreaMoments]:
    """Hand moments on and add cells and areas to the counts of their networks."""
    for moments in parts:
        found, group = np.unique(moments.network, return_inverse=True)
        cells = np.bincount(group, weights=moments.cells)
        areas = np.bincount(group)
        for network, more in zip(found.tolist(), zip(cells, areas, strict=True), strict=True):
            counts = networks.setdefault(network, [0, 0])
            counts[0] += int(more[0])
            counts[1] += int(more[1])
        yield moments


def _believed(
    moments: AreaMoments, policy: CellPolicy
) -> tuple[list[AreaRecord], list[tuple[int, int]]]:
    """Areas as their moments tell, and the keys of those too wide to be told by moments."""
    wide = moments.too_wide(policy=policy)
    believed = np.ones(len(moments.cells), dtype=np.bool_)
    believed[wide] = False
    columns = (
        moments.network, moments.area, moments.lon_deg, moments.lat_deg,
        moments.radius_m(policy=policy), moments.cells,
    )  # fmt: skip
    rows = zip(*(column[believed].tolist() for column in columns), strict=True)
    keys = zip(moments.network[wide].tolist(), moments.area[wide].tolist(), strict=True)
    return [AreaRecord(*row) for row in rows], list(keys)
