"""Parameters in PostgreSQL's binary format, made from numpy arrays without a loop."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import numpy as np
import numpy.typing as npt
import psycopg
from psycopg.abc import Buffer
from psycopg.adapt import Dumper
from psycopg.pq import Format

_HEADER = struct.Struct("!iIIiI")
_OIDS = {"int2": 21, "int4": 23, "int8": 20, "float8": 701, "uuid": 2950, "date": 1082}
_TYPES = {"int2": ">i2", "int4": ">i4", "int8": ">i8", "float8": ">f8", "uuid": "V16"}
_TYPES["date"] = ">i4"
_DATE_ZERO = 730_120
"""Ordinal of 2000-01-01, where PostgreSQL's dates begin."""


@dataclass(frozen=True, slots=True)
class Packed:
    """An array ready to be sent; the statement has to cast its placeholder to the type."""

    data: bytes


def pack(kind: str, values: npt.ArrayLike, *, null: npt.ArrayLike | None = None) -> Packed:
    """Return ``(n,)`` values as an array parameter.

    Parameters
    ----------
    kind : int2, int4, int8, float8, uuid (16 bytes each) or date (proleptic ordinals).
    null : ``(n,)`` truth of "this one is NULL", whatever its value says; none when left out.
    """
    source = np.asarray(values)
    if kind == "date":
        source = source.astype(np.int64) - _DATE_ZERO
    cells = np.empty(len(source), dtype=[("size", ">i4"), ("value", _TYPES[kind])])
    cells["size"] = cells.dtype["value"].itemsize
    cells["value"] = source
    missing = np.zeros(len(source), dtype=bool) if null is None else np.asarray(null, dtype=bool)
    body = cells.tobytes()
    if missing.any():
        cells["size"][missing] = -1
        # Of a NULL only the length is sent.
        sent = np.ones((len(cells), cells.dtype.itemsize), dtype=bool)
        sent[missing, 4:] = False
        body = np.frombuffer(cells.tobytes(), dtype=np.uint8)[sent.ravel()].tobytes()
    head = _HEADER.pack(1, int(missing.any()), _OIDS[kind], len(cells), 1)
    return Packed(head + body)


def uuids(values: Sequence[UUID]) -> npt.NDArray[np.void]:
    """Return identifiers as ``(n,)`` values of 16 bytes, which `pack` takes and numpy indexes."""
    return np.frombuffer(b"".join([value.bytes for value in values]), dtype="V16")


class _PackedDumper(Dumper):
    format = Format.BINARY
    oid = 0

    def dump(self, obj: Packed) -> Buffer | None:
        return obj.data


psycopg.adapters.register_dumper(Packed, _PackedDumper)
