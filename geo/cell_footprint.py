"""The circle a cell stands for: what surveys say of it, and what to believe of that."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from itertools import combinations
from types import MappingProxyType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from geo.cell_identity import CellId, Radio
from geo.distance import FloatArray, geodesic_m
from geo.errors import PolicyError

_MONTH_S = 30.44 * 86_400.0


def _reach() -> Mapping[Radio, float]:
    return MappingProxyType(
        {Radio.GSM: 2_500.0, Radio.UMTS: 1_500.0, Radio.LTE: 1_000.0, Radio.NR: 700.0,
         Radio.CDMA: 2_500.0}
    )  # fmt: skip


def _limit() -> Mapping[Radio, float]:
    return MappingProxyType(
        {Radio.GSM: 35_000.0, Radio.UMTS: 60_000.0, Radio.LTE: 100_000.0, Radio.NR: 100_000.0,
         Radio.CDMA: 60_000.0}
    )  # fmt: skip


def _typical() -> Mapping[Radio, float]:
    return MappingProxyType(
        {Radio.GSM: -90.0, Radio.UMTS: -100.0, Radio.LTE: -100.0, Radio.NR: -100.0,
         Radio.CDMA: -90.0}
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class CellPolicy:
    """Thresholds of cell positioning; from radio planning, none fitted to a data set."""

    reach_m: Mapping[Radio, float] = field(default_factory=_reach)
    """Radius within which a cell of this radio usually serves; stands in for surveys."""
    limit_m: Mapping[Radio, float] = field(default_factory=_limit)
    """Radius beyond which its timing cannot serve anybody (GSM: 63 steps of 550 m)."""
    prior_samples: float = 19.0
    """Weight of the usual reach, in samples. The farthest of n measurements is exceeded by
    the next with a chance of 1 in n + 1, so it is a 95 % radius from 19 on, not before."""
    floor_m: float = 250.0
    """No circle is smaller: surveys follow streets, phones also sit behind the houses."""
    area_reach_m: float = 20_000.0
    """Usual radius of a location area."""
    area_floor_m: float = 5_000.0
    """No area is smaller: what was surveyed of it may be one quarter of a town."""
    area_limit_m: float = 500_000.0
    """A wider one is no area but an error in a table."""
    too_wide_m: float = 100_000.0
    """A cell heard over a wider span is on a train or a ship, or two cells share its name."""
    agree_stretch: float = 1.5
    """Records agree while the circles, so much blown up, touch."""
    moved_after_s: float = 90.0 * 86_400.0
    """Two places of a cell this far apart in time are a move, else a contradiction."""
    cluster_stretch: float = 1.5
    max_age_s: float = 3_600.0
    """A cell heard longer ago says nothing about now."""
    fresh_s: float = 2.0
    drift_mps: float = 10.0
    """How far people get from where a cell was heard, per second of its age."""
    path_loss: float = 3.5
    """Exponent of how signals fade with distance in towns (free space 2)."""
    typical_dbm: Mapping[Radio, float] = field(default_factory=_typical)
    serving_weight: float = 2.0

    @classmethod
    def from_json(cls, document: str | bytes) -> Self:
        """Defaults overridden by the object ``cells`` of a policy document.

        Thresholds by radio are objects like ``{"lte": 900}``; those left out stay.

        Raises
        ------
        PolicyError : not JSON, an unknown name, or a value that is no number above 0.
        """
        try:
            given = json.loads(document)
        except (ValueError, RecursionError) as error:
            raise PolicyError("not_json", f"policy is not JSON: {error}") from None
        group = given.get("cells", {}) if isinstance(given, dict) else None
        if not isinstance(group, dict):
            raise PolicyError("not_object", "policy cells is not a JSON object")
        default = cls()
        changed: dict[str, Any] = {}
        for name, value in group.items():
            if name not in {f.name for f in fields(cls)}:
                raise PolicyError("unknown_threshold", f"policy cells has no {name!r}")
            known = getattr(default, name)
            if not isinstance(known, Mapping):
                changed[name] = _positive(name, value)
                continue
            if not isinstance(value, dict) or not set(value) <= {r.value for r in Radio}:
                raise PolicyError("bad_value", f"policy cells.{name} is an object of radios")
            by_radio = {Radio(radio): _number(name, n) for radio, n in value.items()}
            changed[name] = MappingProxyType({**known, **by_radio})
        return replace(default, **changed)


def _number(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise PolicyError("bad_value", f"policy cells.{name} is not a number")
    return float(value)


def _positive(name: str, value: object) -> float:
    number = _number(name, value)
    if number <= 0.0:
        raise PolicyError("bad_value", f"policy cells.{name} is not above 0")
    return number


@dataclass(frozen=True, slots=True, kw_only=True)
class CellRecord:
    """What one table says of one cell; WGS-84 degrees.

    Attributes
    ----------
    range_m : how far from the middle it was heard, None when unknown.
    samples : measurements behind it, 0 when unknown.
    is_exact : the position is that of the mast, not the middle of measurements.
    updated_s : epoch seconds of the last measurement.
    source : whose record it is; orders equals.
    """

    network: int
    area: int
    cell: int
    lon_deg: float
    lat_deg: float
    range_m: float | None = None
    samples: int = 0
    is_exact: bool = False
    updated_s: float | None = None
    source: str = ""

    @property
    def name(self) -> CellId:
        """Identity of the cell."""
        return CellId(self.network, self.area, self.cell)


@dataclass(frozen=True, slots=True, order=True)
class AreaRecord:
    """Middle and 95 % radius of what is known of a location area."""

    network: int
    area: int
    lon_deg: float
    lat_deg: float
    radius_m: float
    cells: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Footprint:
    """Where a cell is heard: a circle that holds 95 of 100 phones on it."""

    name: CellId
    lon_deg: float
    lat_deg: float
    radius_m: float
    score: float
    samples: int
    notes: tuple[str, ...] = ()

    def distance_m(self, other: "Footprint") -> float:
        """Metres between the middles."""
        return geodesic_m(
            lon1_deg=self.lon_deg, lat1_deg=self.lat_deg,
            lon2_deg=other.lon_deg, lat2_deg=other.lat_deg,
        )  # fmt: skip

    def widened(self, by_m: float) -> "Footprint":
        """Return the same with a larger circle."""
        return replace(self, radius_m=self.radius_m + by_m)


def footprint_radius_m(
    radio: Radio, *, range_m: float | None, samples: int, policy: CellPolicy
) -> float:
    """Return the 95 % radius of a cell's reach.

    Few measurements lie closer together than the phones a cell serves, so the observed range
    is blended with the usual reach of the radio until there are enough; it is never made
    smaller than it was observed.

    Examples
    --------
    >>> footprint_radius_m(Radio.LTE, range_m=7.0, samples=2, policy=CellPolicy())
    905.4
    """
    usual_m = policy.reach_m[radio]
    if not range_m or samples == 1:
        # One measurement spans nothing; its middle may be at the edge of the reach.
        return usual_m * (1.0 if samples > 1 else policy.agree_stretch)
    counted = max(samples, 1)
    blend_m = (counted * range_m + policy.prior_samples * usual_m) / (
        counted + policy.prior_samples
    )
    return round(max(blend_m, range_m, policy.floor_m), 1)


def settle_records(
    records: Sequence[CellRecord], *, now_s: float, policy: CellPolicy
) -> Footprint | None:
    """Make one footprint of what all tables say of one cell.

    Tables that agree are averaged by evidence. When they do not: the newer one when there is
    a long time between them (the cell moved), else the better one with a circle over the
    whole spread (nobody can tell which is wrong).

    Returns
    -------
    A footprint, with the note ``moved`` or ``conflict`` where that was so; None without
    records.
    """
    if not records:
        return None
    prints = sorted(
        ((_footprint_of(r, now_s=now_s, policy=policy), r) for r in records),
        key=lambda pair: (-pair[0].score, pair[1].source, pair[0].lon_deg, pair[0].lat_deg),
    )
    notes: tuple[str, ...] = ()
    if _apart(prints, policy):
        newest = max(r.updated_s or 0.0 for _, r in prints)
        current = [p for p in prints if newest - (p[1].updated_s or 0.0) < policy.moved_after_s]
        if len(current) < len(prints) and not _apart(current, policy):
            prints, notes = current, ("moved",)
        else:
            best = prints[0][0]
            spread_m = max(best.distance_m(other) + other.radius_m for other, _ in prints)
            return replace(best, radius_m=spread_m, notes=("conflict",))
    settled = _agreed([p for p, _ in prints])
    if settled.radius_m > policy.too_wide_m:
        notes = ("conflict",)
    return replace(settled, notes=notes)


def _apart(prints: Sequence[tuple[Footprint, CellRecord]], policy: CellPolicy) -> bool:
    return any(
        one.distance_m(other) > policy.agree_stretch * (one.radius_m + other.radius_m)
        for (one, _), (other, _) in combinations(prints, 2)
    )


def _agreed(prints: Sequence[Footprint]) -> Footprint:
    """Mean of agreeing footprints, small enough apart for degrees to be averaged."""
    if len(prints) == 1:
        return prints[0]
    scores = np.array([p.score for p in prints])
    lons = np.array([p.lon_deg for p in prints])
    # Across the antimeridian all are taken to the side of the first.
    lons += 360.0 * np.round((lons[0] - lons) / 360.0)
    lon = float(np.average(lons, weights=scores))
    middle = replace(
        prints[0],
        lon_deg=(lon + 180.0) % 360.0 - 180.0,
        lat_deg=float(np.average([p.lat_deg for p in prints], weights=scores)),
        score=float(scores.sum()),
        samples=sum(p.samples for p in prints),
    )
    return replace(middle, radius_m=min(middle.distance_m(p) + p.radius_m for p in prints))


def _footprint_of(record: CellRecord, *, now_s: float, policy: CellPolicy) -> Footprint:
    months = 24.0 if record.updated_s is None else max(now_s - record.updated_s, 0.0) / _MONTH_S
    evidence = 10.0 if record.is_exact else min(max(math.log2(1.0 + record.samples), 1.0), 10.0)
    radius_m = footprint_radius_m(
        record.name.radio, range_m=record.range_m, samples=record.samples, policy=policy
    )
    return Footprint(
        name=record.name,
        lon_deg=record.lon_deg,
        lat_deg=record.lat_deg,
        radius_m=radius_m,
        score=evidence / math.sqrt(months + 1.0),
        samples=record.samples,
    )


def area_radius_m(
    spread_m: npt.ArrayLike, reach_m: npt.ArrayLike, cells: npt.ArrayLike, *, policy: CellPolicy
) -> FloatArray:
    """Return the 95 % radius of location areas.

    Parameters
    ----------
    spread_m : ``(n,)`` root mean square distance of the cells from their mean.
    reach_m : ``(n,)`` mean range of the cells.
    cells : ``(n,)`` how many are known; few are blended with the usual size of an area.

    Returns
    -------
    ``(n,)`` metres. Twice the spread holds 95 % of any bell-shaped cloud, round or drawn out.
    """
    n = np.asarray(cells, dtype=np.float64)
    seen = 2.0 * np.asarray(spread_m, dtype=np.float64) + np.asarray(reach_m, dtype=np.float64)
    prior = policy.prior_samples
    blended = (n * seen + prior * policy.area_reach_m) / (n + prior)
    return np.asarray(np.maximum(np.maximum(seen, blended), policy.area_floor_m))
