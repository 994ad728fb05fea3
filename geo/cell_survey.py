"""Where a cell is, learned from phones that knew where they were when they heard it."""

from dataclasses import dataclass, fields, replace
from typing import Final, Self

import numpy as np

from geo.cell_footprint import CellPolicy
from geo.cell_identity import Radio
from geo.distance import FloatArray, LocalPlane
from geo.fix import BoolArray, IntArray

_ROUNDS: Final = 100
_STEP_M: Final = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class SurveyPolicy:
    """How much of whose measurements makes a cell."""

    min_devices: int = 3
    """Fewer phones could agree on anything, or be one person's."""
    min_days: int = 2
    max_accuracy_m: float = 100.0
    max_age_s: float = 20.0
    """A cell heard longer before or after the position was heard elsewhere."""
    max_speed_mps: float = 50.0
    fine_accuracy_m: float = 10.0
    fine_age_s: float = 2.0
    fine_speed_mps: float = 5.0
    """Better than these counts in full; beyond, weight goes with the square root."""
    outvoted_reaches: float = 2.0
    outvoted_times: float = 3.0
    """A phone is outvoted when its place is farther from the common one than so many usual
    reaches of the radio and so many times the usual distance of phones."""
    largest_reaches: float = 12.0
    """However far phones usually are: beyond so many reaches they met something else."""


@dataclass(frozen=True, slots=True, eq=False)
class Observations:
    """One cell as phones met it, one row a measurement; unknown numbers are NaN.

    Attributes
    ----------
    lon_deg, lat_deg, accuracy_m, speed_mps : ``(n,)`` of the phone's position, WGS-84.
    age_s : ``(n,)`` between hearing the cell and the position.
    signal_dbm : ``(n,)``.
    device, day : ``(n,)`` numbers that tell phones and local days apart.
    """

    lon_deg: FloatArray
    lat_deg: FloatArray
    accuracy_m: FloatArray
    speed_mps: FloatArray
    age_s: FloatArray
    signal_dbm: FloatArray
    device: IntArray
    day: IntArray

    def __len__(self) -> int:
        return len(self.device)

    def take(self, index: IntArray | BoolArray) -> Self:
        """Rows by index or mask."""
        return type(self)(*(getattr(self, f.name)[index] for f in fields(self)))


@dataclass(frozen=True, slots=True, kw_only=True)
class SurveyedCell:
    """A cell as learned.

    Attributes
    ----------
    range_m : 95 % of the measurements lie within, every phone counting the same.
    samples : days on which a phone met it, summed over phones; measurements of one phone on
        one day are one opinion.
    outvoted : phones whose measurements were left out.
    moved : older days say something else and were left out.
    """

    lon_deg: float
    lat_deg: float
    range_m: float
    samples: int
    devices: int
    days: int
    outvoted: int = 0
    moved: bool = False


@dataclass(frozen=True, slots=True)
class NotSurveyed:
    """Why a cell cannot be learned: ``few_devices``, ``few_days``, ``disputed``, ``moving``."""

    reason: str


def survey_cell(
    observations: Observations,
    *,
    radio: Radio,
    policy: SurveyPolicy | None = None,
    cells: CellPolicy | None = None,
) -> SurveyedCell | NotSurveyed:
    """Place a cell by the positions of phones that heard it.

    Every phone has the same say, however often it reports: the place is the geometric median
    of what phones found on each day, so that less than half of the phones, lying as they
    like, cannot carry it away. Phones far from the common place are outvoted and left out;
    there must be enough of the others. Where days disagree, the newer ones count: cells move.

    Parameters
    ----------
    observations : any order; inaccurate, stale and fast ones are not looked at.
    radio : of the cell.

    Returns
    -------
    The cell, or why it cannot be told. The same for any order of observations.
    """
    policy, cells = policy or SurveyPolicy(), cells or CellPolicy()
    weight = observation_weights(observations, typical_dbm=cells.typical_dbm[radio],
                                 path_loss=cells.path_loss, policy=policy)  # fmt: skip
    # In an order of their own, so that sums come out the same whoever was first.
    o = observations
    order = np.lexsort((weight, o.lat_deg, o.lon_deg, o.day, o.device))
    order = order[weight[order] > 0.0]
    kept, weight = observations.take(order), weight[order]
    answer = _survey(kept, weight, cells.reach_m[radio], policy, cells)
    days = np.unique(kept.day)
    if isinstance(answer, NotSurveyed) and answer.reason in {"disputed", "moving"}:
        recent = kept.day >= days[len(days) // 2]
        newer = _survey(kept.take(recent), weight[recent], cells.reach_m[radio], policy, cells)
        if isinstance(newer, SurveyedCell):
            return replace(newer, moved=True)
    return answer


def observation_weights(
    observations: Observations, *, typical_dbm: float, path_loss: float, policy: SurveyPolicy
) -> FloatArray:
    """Weights of measurements: precise, fresh, slow and near ones count more; 0 for none at all.

    Returns
    -------
    ``(n,)``, 0 where a measurement says nothing about the cell.
    """

    def falling(values: FloatArray, fine: float, limit: float) -> FloatArray:
        known = np.nan_to_num(values, nan=fine)
        return np.where(known > limit, 0.0, np.sqrt(fine / np.maximum(known, fine)))

    # Without an accuracy nobody knows how good a position is.
    accuracy = np.nan_to_num(observations.accuracy_m, nan=np.inf)
    weight = falling(accuracy, policy.fine_accuracy_m, policy.max_accuracy_m)
    weight = weight * falling(np.abs(observations.age_s), policy.fine_age_s, policy.max_age_s)
    weight = weight * falling(observations.speed_mps, policy.fine_speed_mps, policy.max_speed_mps)
    above_db = np.nan_to_num(observations.signal_dbm, nan=typical_dbm) - typical_dbm
    nearness = np.clip(10.0 ** (above_db / (5.0 * path_loss)), 0.1, 10.0)
    return np.asarray(weight * nearness, dtype=np.float64)


def _survey(
    seen: Observations, weight: FloatArray, reach_m: float, policy: SurveyPolicy, cells: CellPolicy
) -> SurveyedCell | NotSurveyed:
    few = _too_few(seen, policy)
    if few is not None:
        return few
    plane = LocalPlane(float(np.median(seen.lon_deg)), float(np.median(seen.lat_deg)))
    east, north = plane.forward(seen.lon_deg, seen.lat_deg)
    opinions = _opinions(east, north, weight, seen)
    phones, number = np.unique(opinions.device, return_inverse=True)
    middle = _median(opinions)
    away = np.hypot(opinions.east_m - middle[0], opinions.north_m - middle[1])
    by_phone = np.array([np.median(away[number == i]) for i in range(len(phones))])
    limit_m = float(
        np.clip(
            policy.outvoted_times * np.median(by_phone),
            policy.outvoted_reaches * reach_m,
            policy.largest_reaches * reach_m,
        )
    )
    outvoted = phones[by_phone > limit_m]
    if 2 * len(outvoted) >= len(phones):
        return NotSurveyed("disputed")
    if len(outvoted):
        honest = ~np.isin(seen.device, outvoted)
        if _too_few(seen.take(honest), policy) is not None:
            return NotSurveyed("disputed")
        rest = _survey(seen.take(honest), weight[honest], reach_m, policy, cells)
        if isinstance(rest, SurveyedCell):
            return replace(rest, outvoted=rest.outvoted + len(outvoted))
        return rest
    distance = np.hypot(east - middle[0], north - middle[1])
    range_m = _quantile(distance, _share(seen.device), 0.95)
    if range_m > cells.too_wide_m / 2.0:
        return NotSurveyed("moving")
    lon, lat = plane.inverse(middle[0], middle[1])
    return SurveyedCell(
        lon_deg=float(lon[0]),
        lat_deg=float(lat[0]),
        range_m=range_m,
        samples=len(opinions.device),
        devices=len(phones),
        days=len(np.unique(seen.day)),
    )


def _too_few(seen: Observations, policy: SurveyPolicy) -> NotSurveyed | None:
    if len(np.unique(seen.device)) < policy.min_devices:
        return NotSurveyed("few_devices")
    if len(np.unique(seen.day)) < policy.min_days:
        return NotSurveyed("few_days")
    return None


@dataclass(frozen=True, slots=True, eq=False)
class _Opinions:
    """Where each phone found the cell on each day."""

    east_m: FloatArray
    north_m: FloatArray
    device: IntArray


def _opinions(
    east: FloatArray, north: FloatArray, weight: FloatArray, seen: Observations
) -> _Opinions:
    keys, group = np.unique(np.stack([seen.device, seen.day]), axis=1, return_inverse=True)
    group = group.reshape(-1)
    total = np.bincount(group, weights=weight)
    return _Opinions(
        np.bincount(group, weights=weight * east) / total,
        np.bincount(group, weights=weight * north) / total,
        keys[0],
    )


def _share(device: IntArray) -> FloatArray:
    """One share for each phone, divided among its rows."""
    _, number, count = np.unique(device, return_inverse=True, return_counts=True)
    return np.asarray(1.0 / count[number.reshape(-1)], dtype=np.float64)


def _median(opinions: _Opinions) -> tuple[float, float]:
    """Geometric median, every phone weighing the same (Weiszfeld's iteration)."""
    share = _share(opinions.device)
    x = float(np.average(opinions.east_m, weights=share))
    y = float(np.average(opinions.north_m, weights=share))
    for _ in range(_ROUNDS):
        pull = share / np.maximum(np.hypot(opinions.east_m - x, opinions.north_m - y), 1.0)
        to_x = float(np.average(opinions.east_m, weights=pull))
        to_y = float(np.average(opinions.north_m, weights=pull))
        moved_m = np.hypot(to_x - x, to_y - y)
        x, y = to_x, to_y
        if moved_m < _STEP_M:
            break
    return x, y


def _quantile(values: FloatArray, weights: FloatArray, share: float) -> float:
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(reached, share * reached[-1])])
