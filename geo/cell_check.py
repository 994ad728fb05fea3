"""Whether a satellite fix can be true where the phone heard its cells."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from geo import ALGORITHM_VERSION
from geo.cell_footprint import CellPolicy, CellRecord, Footprint
from geo.cells import CellSeen, Sighting, footprint_of, sightings
from geo.distance import geodesic_m

RULE: Final = "gps_cells-1"


class CellVerdict(StrEnum):
    """What cells say of a position."""

    PLAUSIBLE = "plausible"
    STRAINED = "strained"
    IMPOSSIBLE = "impossible"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckPolicy:
    """When a position contradicts the cells heard with it."""

    max_age_s: float = 60.0
    """A cell heard longer before the fix was heard somewhere else."""
    accuracy_share: float = 2.0
    """Phones claim a 68 % radius; twice that holds 95 of 100 positions with room to spare."""
    assumed_accuracy_m: float = 50.0
    """Accuracy of a fix that claims none."""
    far_m: float = 20_000.0
    far_reaches: float = 10.0
    """Of a well-surveyed cell, so far and so many radii outside is another town."""
    well_surveyed: int = 20
    """Samples from which a cell's circle is believed that much."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CellCheck:
    """What the cells say, by the cell that speaks most for the position.

    Attributes
    ----------
    verdict : None when no cell heard is known.
    distance_m : from the position to the middle of that cell.
    radius_m : of its circle.
    margin_m : how far the position lies outside the circle after all its own inaccuracy;
        negative within.
    detail : all of it for every cell, with thresholds; JSON.
    """

    verdict: CellVerdict | None
    distance_m: float | None
    radius_m: float | None
    margin_m: float | None
    detail: dict[str, Any]


def judge_gps_against_cells(
    *,
    lon_deg: float,
    lat_deg: float,
    accuracy_m: float | None,
    seen: Iterable[CellSeen],
    records: Sequence[CellRecord],
    now_s: float,
    policy: CheckPolicy | None = None,
    cells: CellPolicy | None = None,
) -> CellCheck:
    """Compare a satellite position with the cells heard at the same moment.

    Within any of their circles it is plausible. Outside all of them it is strained, and
    impossible where no phone could be served: beyond what the timing of the radio allows, or
    another town than that of a well-surveyed cell. In doubt the position is believed: the
    cell that speaks most for it decides.

    Parameters
    ----------
    lon_deg, lat_deg, accuracy_m : the position in WGS-84 and its 68 % radius.
    seen : cells of the same report.
    records : what tables know of them; areas are too wide to judge anything by.
    now_s : epoch seconds of the position.

    Returns
    -------
    The verdict with its margin; the same for any order of cells and records.
    """
    policy, cells = policy or CheckPolicy(), cells or CellPolicy()
    own_m = policy.accuracy_share * (accuracy_m or policy.assumed_accuracy_m)
    found, dropped = sightings(
        (one for one in seen if (one.age_s or 0.0) <= policy.max_age_s), policy=cells
    )
    judged: list[_Judged] = []
    for sighting in found:
        footprint = footprint_of(sighting, records, now_s=now_s, policy=cells)
        if footprint is not None:
            away_m = geodesic_m(
                lon1_deg=lon_deg, lat1_deg=lat_deg,
                lon2_deg=footprint.lon_deg, lat2_deg=footprint.lat_deg,
            )  # fmt: skip
            verdict = _verdict(footprint, away_m, own_m, policy, cells)
            margin_m = away_m - footprint.radius_m - own_m
            judged.append(_Judged(sighting, footprint, verdict, away_m, margin_m))
    judged.sort(key=lambda j: (j.margin_m, j.footprint.name.network, j.footprint.name.cell or 0))
    detail: dict[str, Any] = {
        "rule": RULE,
        "algorithm_version": ALGORITHM_VERSION,
        "accuracy_m": accuracy_m,
        "cells": [one.to_json() for one in judged],
        "unknown_cells": len(found) - len(judged),
        "dropped": dict(sorted(dropped.items())),
        "thresholds": {
            "max_age_s": policy.max_age_s,
            "far_m": policy.far_m,
            "far_reaches": policy.far_reaches,
            "limit_m": {radio.value: limit for radio, limit in cells.limit_m.items()},
        },
    }
    if not judged:
        return CellCheck(verdict=None, distance_m=None, radius_m=None, margin_m=None, detail=detail)
    best = judged[0]
    return CellCheck(
        verdict=best.verdict,
        distance_m=round(best.away_m, 1),
        radius_m=round(best.footprint.radius_m, 1),
        margin_m=round(best.margin_m, 1),
        detail=detail,
    )


def _verdict(
    footprint: Footprint, away_m: float, own_m: float, policy: CheckPolicy, cells: CellPolicy
) -> CellVerdict:
    margin_m = away_m - footprint.radius_m - own_m
    if margin_m <= 0.0:
        return CellVerdict.PLAUSIBLE
    believed = footprint.samples >= policy.well_surveyed and "conflict" not in footprint.notes
    other_town = (
        margin_m > policy.far_m and away_m - own_m > policy.far_reaches * footprint.radius_m
    )
    if margin_m > cells.limit_m[footprint.name.radio] or (believed and other_town):
        return CellVerdict.IMPOSSIBLE
    return CellVerdict.STRAINED


@dataclass(frozen=True, slots=True)
class _Judged:
    """One known cell against the position."""

    sighting: Sighting
    footprint: Footprint
    verdict: CellVerdict
    away_m: float
    margin_m: float

    def to_json(self) -> dict[str, Any]:
        seen, name = self.sighting.seen, self.footprint.name
        return {
            "radio": name.radio.value,
            "mcc": seen.mcc,
            "mnc": seen.mnc,
            "area": name.area,
            "cell": name.cell,
            "serving": seen.serving,
            "verdict": self.verdict.value,
            "distance_m": round(self.away_m, 1),
            "radius_m": round(self.footprint.radius_m, 1),
            "margin_m": round(self.margin_m, 1),
            "samples": self.footprint.samples,
            "notes": list(self.footprint.notes),
        }
