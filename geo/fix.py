"""A fix: one position as a device claimed it, and many fixes as columns."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntFlag, StrEnum
from typing import Final, Self, TypeAlias

import numpy as np
import numpy.typing as npt

from geo.distance import FloatArray
from geo.errors import GeoError

IntArray: TypeAlias = npt.NDArray[np.int64]
BoolArray: TypeAlias = npt.NDArray[np.bool_]

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Source(StrEnum):
    """What measured a position; decides which error model applies."""

    GPS = "gps"
    WIFI = "wifi"
    CELL = "cell"
    LBS = "lbs"
    UNKNOWN = "unknown"


SOURCES: Final = tuple(Source)
"""Order of the integer codes in `FixArray.source`; append only."""


class QualityFlag(IntFlag):
    """Doubts about a fix. Stored as an integer: a value keeps its meaning, new ones are added."""

    NONE = 0
    FUTURE = 1 << 0
    LATE = 1 << 1
    JUMP = 1 << 2
    MOCK = 1 << 3
    FROZEN = 1 << 4
    COARSE = 1 << 5
    NULL_ISLAND = 1 << 6
    NO_ACCURACY = 1 << 7
    NO_TST = 1 << 8
    FIELD_NULLED = 1 << 9
    PING = 1 << 10
    CLOCK = 1 << 11
    DUPLICATE = 1 << 12
    CLAIM_MISMATCH = 1 << 13

    def names(self) -> tuple[str, ...]:
        """Lower-case names of the set flags, in order of their bits."""
        return tuple(f.name.lower() for f in QualityFlag if f.name and f.value and f in self)


_FLAG_BITS: Final = {flag.names()[0]: flag.value for flag in QualityFlag if flag.value}

NOT_EVIDENCE: Final = (
    QualityFlag.FUTURE
    | QualityFlag.MOCK
    | QualityFlag.NULL_ISLAND
    | QualityFlag.NO_TST
    | QualityFlag.PING
)
"""A fix with one of these is kept and shown, but proves neither presence nor absence."""


def to_epoch_s(at: datetime) -> float:
    """Seconds since 1970 UTC of an aware instant; refuses a naive one."""
    if at.tzinfo is None:
        raise GeoError("naive_time", "an instant needs a zone")
    return (at - EPOCH) / timedelta(seconds=1)


def from_epoch_s(epoch_s: float) -> datetime:
    """Aware UTC instant of epoch seconds, to the microsecond."""
    return EPOCH + timedelta(microseconds=round(float(epoch_s) * 1e6))


@dataclass(frozen=True, slots=True, kw_only=True)
class Fix:
    """One position as a device claimed it.

    Unknown is ``None``, never 0. ``accuracy_m`` is the device's own radius (68 % on phones).
    ``key`` names the message for good: fixes are ordered by ``(fixed_at, key)``, and two with
    the same pair are one fix delivered twice.
    """

    fixed_at: datetime
    lon_deg: float
    lat_deg: float
    accuracy_m: float | None = None
    source: Source = Source.GPS
    speed_mps: float | None = None
    course_deg: float | None = None
    altitude_m: float | None = None
    battery_pct: int | None = None
    mock: bool | None = None
    trigger: str | None = None
    received_at: datetime | None = None
    key: str = ""
    flags: QualityFlag = QualityFlag.NONE

    def __post_init__(self) -> None:
        if self.fixed_at.tzinfo is None or (
            self.received_at is not None and self.received_at.tzinfo is None
        ):
            raise GeoError("naive_time", "fixed_at and received_at need a zone")
        # The negated form also refuses NaN.
        if not (-180.0 <= self.lon_deg <= 180.0 and -90.0 <= self.lat_deg <= 90.0):
            raise GeoError("range", f"lon {self.lon_deg} lat {self.lat_deg} is not on Earth")


@dataclass(frozen=True, slots=True, eq=False)
class FixArray:
    """Fixes of one person as columns, in canonical order, without duplicates.

    Whatever order fixes arrive in, the same set gives the same columns; that is what makes
    every verdict independent of the order of arrival. Build with `from_fixes` or `from_arrays`.

    Attributes
    ----------
    epoch_s : ``(n,)`` seconds since 1970 UTC, ascending (not strictly).
    lon_deg, lat_deg : ``(n,)`` WGS-84 degrees.
    accuracy_m, speed_mps, battery_pct : ``(n,)``, NaN when unknown.
    source : ``(n,)`` index into `SOURCES`.
    flags : ``(n,)`` `QualityFlag` values.
    keys : ``(n,)`` strings.
    """

    epoch_s: FloatArray
    lon_deg: FloatArray
    lat_deg: FloatArray
    accuracy_m: FloatArray
    speed_mps: FloatArray
    battery_pct: FloatArray
    source: IntArray
    flags: IntArray
    keys: npt.NDArray[np.str_]

    @classmethod
    def from_fixes(cls, fixes: Iterable[Fix]) -> Self:
        """Columns of any iterable of fixes, in any order. O(n log n)."""
        rows = list(fixes)
        code = {source: i for i, source in enumerate(SOURCES)}

        def column(values: Sequence[float | None]) -> FloatArray:
            return np.array([np.nan if v is None else v for v in values], dtype=np.float64)

        return cls.from_arrays(
            epoch_s=[to_epoch_s(f.fixed_at) for f in rows],
            lon_deg=[f.lon_deg for f in rows],
            lat_deg=[f.lat_deg for f in rows],
            accuracy_m=column([f.accuracy_m for f in rows]),
            speed_mps=column([f.speed_mps for f in rows]),
            battery_pct=column([f.battery_pct for f in rows]),
            source=[code[f.source] for f in rows],
            flags=[int(_claimed_flags(f)) for f in rows],
            keys=[f.key for f in rows],
        )

    @classmethod
    def from_arrays(
        cls,
        *,
        epoch_s: npt.ArrayLike,
        lon_deg: npt.ArrayLike,
        lat_deg: npt.ArrayLike,
        accuracy_m: npt.ArrayLike | None = None,
        speed_mps: npt.ArrayLike | None = None,
        battery_pct: npt.ArrayLike | None = None,
        source: npt.ArrayLike | None = None,
        flags: npt.ArrayLike | None = None,
        keys: Sequence[str] | npt.NDArray[np.str_] | None = None,
    ) -> Self:
        """Columns from equally long arrays, in any order; sorts and drops duplicates.

        Missing ``keys`` are empty: fixes are then told apart by time and place.
        Accuracy of 0 or less is unknown, not perfect.
        """
        t = np.asarray(epoch_s, dtype=np.float64)
        n = len(t)

        def floats(values: npt.ArrayLike | None) -> FloatArray:
            return np.full(n, np.nan) if values is None else np.asarray(values, dtype=np.float64)

        def ints(values: npt.ArrayLike | None) -> IntArray:
            return (
                np.zeros(n, dtype=np.int64)
                if values is None
                else np.asarray(values, dtype=np.int64)
            )

        accuracy = floats(accuracy_m)
        columns = cls(
            epoch_s=t,
            lon_deg=np.asarray(lon_deg, dtype=np.float64),
            lat_deg=np.asarray(lat_deg, dtype=np.float64),
            accuracy_m=np.where(accuracy > 0, accuracy, np.nan),
            speed_mps=floats(speed_mps),
            battery_pct=floats(battery_pct),
            source=ints(source),
            flags=ints(flags),
            keys=np.zeros(n, dtype="<U1") if keys is None else np.asarray(keys, dtype=np.str_),
        )
        if any(len(c) != n for c in columns._columns()):
            raise GeoError("ragged_columns", "columns of fixes differ in length")
        if (
            n
            and not np.isfinite(np.stack([columns.epoch_s, columns.lon_deg, columns.lat_deg])).all()
        ):
            raise GeoError("not_finite", "time or position of a fix is not a number")
        return columns._canonical()

    def _canonical(self) -> Self:
        if not len(self) or (np.diff(self.epoch_s) > 0.0).all():  # the usual case, and cheap
            return self
        # After (time, key) the remaining columns only break ties, so that the copy
        # that survives does not depend on which one came first.
        order = np.lexsort(
            (
                self.flags,
                self.source,
                np.nan_to_num(self.battery_pct, nan=-1.0),
                np.nan_to_num(self.speed_mps, nan=-1.0),
                np.nan_to_num(self.accuracy_m, nan=-1.0),
                self.lat_deg,
                self.lon_deg,
                self.keys,
                self.epoch_s,
            )
        )
        ordered = self.take(order)
        same = (ordered.epoch_s[1:] == ordered.epoch_s[:-1]) & (
            ordered.keys[1:] == ordered.keys[:-1]
        )
        same &= (ordered.keys[1:] != "") | (
            (ordered.lon_deg[1:] == ordered.lon_deg[:-1])
            & (ordered.lat_deg[1:] == ordered.lat_deg[:-1])
        )
        return ordered.take(np.flatnonzero(np.concatenate(([True], ~same))))

    def _columns(self) -> tuple[npt.NDArray[np.generic], ...]:
        return (
            self.epoch_s,
            self.lon_deg,
            self.lat_deg,
            self.accuracy_m,
            self.speed_mps,
            self.battery_pct,
            self.source,
            self.flags,
            self.keys,
        )

    def __len__(self) -> int:
        return len(self.epoch_s)

    def take(self, index: IntArray | BoolArray) -> Self:
        """Rows chosen by ascending integer index or by mask, as new columns."""
        return type(self)(
            self.epoch_s[index],
            self.lon_deg[index],
            self.lat_deg[index],
            self.accuracy_m[index],
            self.speed_mps[index],
            self.battery_pct[index],
            self.source[index],
            self.flags[index],
            self.keys[index],
        )

    def between(self, start: datetime, end: datetime) -> Self:
        """Select fixes with ``start <= fixed_at < end``. O(log n) plus the copy."""
        low, high = np.searchsorted(self.epoch_s, [to_epoch_s(start), to_epoch_s(end)])
        return self.take(np.arange(low, high))

    def fixed_at(self, index: int) -> datetime:
        """Aware UTC instant of one row."""
        return from_epoch_s(self.epoch_s[index])

    def has(self, flags: QualityFlag) -> BoolArray:
        """Mask ``(n,)`` of rows with any of the flags."""
        return np.asarray((self.flags & int(flags)) != 0)

    def is_source(self, *sources: Source) -> BoolArray:
        """Mask ``(n,)`` of rows measured by one of the sources."""
        return np.isin(self.source, [SOURCES.index(s) for s in sources])

    def flag_counts(self) -> dict[str, int]:
        """How many rows carry each flag; flags that nobody carries are left out."""
        carried = int(np.bitwise_or.reduce(self.flags)) if len(self.flags) else 0
        return {
            name: int(np.count_nonzero(self.flags & bit))
            for name, bit in _FLAG_BITS.items()
            if carried & bit
        }


def _claimed_flags(fix: Fix) -> QualityFlag:
    """Set what follows from the message alone, whether or not the decoder did."""
    flags = fix.flags
    if fix.mock:
        flags |= QualityFlag.MOCK
    if fix.trigger == "p":
        flags |= QualityFlag.PING
    if fix.accuracy_m is None:
        flags |= QualityFlag.NO_ACCURACY
    return flags
