"""Doubts about fixes as they arrive. Flags, never drops: evidence stays."""

from collections.abc import Hashable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from geo.distance import FloatArray, geodesics_m
from geo.fix import BoolArray, Fix, FixArray, IntArray, QualityFlag, Source, to_epoch_s
from geo.policy import QualityPolicy


def flag_batch(
    fixes: Sequence[Fix],
    *,
    policy: QualityPolicy,
    devices: Sequence[Hashable] | None = None,
    previous: Mapping[Hashable, Fix] | None = None,
) -> list[QualityFlag]:
    """Flag a batch of arriving fixes, in the order given.

    Flags that need neighbours (jump, frozen, duplicate) see what is in the batch and the
    previous fix of each device; they help people and dashboards, and no verdict rests on
    them, because they depend on how messages were batched.

    Parameters
    ----------
    fixes : any order, any mixture of devices.
    policy : thresholds.
    devices : ``(n,)`` owner of each fix; one device when left out.
    previous : last stored fix by device, to compare the first of the batch with.

    Returns
    -------
    ``(n,)`` flags: those the decoder already set, and those found here. O(n log n).
    """
    if not fixes:
        return []
    owners = list(devices) if devices is not None else [None] * len(fixes)
    earlier = previous or {}
    numbers: dict[Hashable, int] = {}
    owner_no = np.array(
        [numbers.setdefault(owner, len(numbers)) for owner in owners], dtype=np.int64
    )
    known = [(numbers[owner], fix) for owner, fix in earlier.items() if owner in numbers]

    # Stored fixes go first: sorting keeps that order, so of two copies the new one is marked.
    rows = [*(fix for _, fix in known), *fixes]
    owner_no = np.concatenate([np.array([no for no, _ in known], dtype=np.int64), owner_no])
    flags = np.array([int(f.flags) for f in rows], dtype=np.int64)
    _set(flags, QualityFlag.MOCK, np.array([f.mock is True for f in rows]))
    _set(flags, QualityFlag.PING, np.array([f.trigger == "p" for f in rows]))
    found = flag_columns(
        epoch_s=np.array([to_epoch_s(f.fixed_at) for f in rows]),
        received_s=np.array(
            [np.nan if f.received_at is None else to_epoch_s(f.received_at) for f in rows]
        ),
        lon_deg=np.array([f.lon_deg for f in rows]),
        lat_deg=np.array([f.lat_deg for f in rows]),
        accuracy_m=np.array([np.nan if f.accuracy_m is None else f.accuracy_m for f in rows]),
        is_gps=np.array([f.source is Source.GPS for f in rows]),
        flags=flags,
        owner_no=owner_no,
        keys=np.array([f.key for f in rows]),
        policy=policy,
    )
    return [QualityFlag(int(value)) for value in found[len(known) :]]


def flag_columns(
    *,
    epoch_s: FloatArray,
    received_s: FloatArray,
    lon_deg: FloatArray,
    lat_deg: FloatArray,
    accuracy_m: FloatArray,
    is_gps: BoolArray,
    flags: IntArray,
    owner_no: IntArray,
    keys: npt.NDArray[np.generic],
    policy: QualityPolicy,
) -> IntArray:
    """Flag arriving fixes given as ``(n,)`` columns; `flag_batch` for tens of thousands a second.

    Parameters
    ----------
    epoch_s, received_s : seconds since 1970 UTC; `received_s` NaN when unknown.
    accuracy_m : NaN when unknown.
    flags : what the decoder already found; not changed.
    owner_no, keys : number of the device, and what orders fixes of one instant.

    Returns
    -------
    ``(n,)`` new flags. O(n log n).
    """
    t, lon, lat = epoch_s, lon_deg, lat_deg
    flags = flags.copy()
    _set(flags, QualityFlag.NO_ACCURACY, np.isnan(accuracy_m))
    _set(flags, QualityFlag.COARSE, accuracy_m > policy.coarse_m)
    _set(flags, QualityFlag.FUTURE, t - received_s > policy.future_s)
    _set(flags, QualityFlag.CLOCK, t - received_s > policy.clock_s)
    _set(flags, QualityFlag.LATE, received_s - t > policy.late_s)
    _set(flags, QualityFlag.NULL_ISLAND, _is_placeholder(lon, lat, policy.null_island_deg))
    _flag_neighbours(
        flags,
        order=np.lexsort((keys, t, owner_no)),
        owner_no=owner_no,
        t=t,
        lon=lon,
        lat=lat,
        accuracy=accuracy_m,
        satellite=is_gps & (accuracy_m < policy.frozen_accuracy_m),
        policy=policy,
    )
    return flags


def flag_series(fixes: FixArray, *, policy: QualityPolicy) -> FixArray:
    """Flag a whole series of one person as far as columns allow: place, coarse, jump, frozen."""
    if len(fixes) == 0:
        return fixes
    flags = fixes.flags.copy()
    _set(flags, QualityFlag.COARSE, fixes.accuracy_m > policy.coarse_m)
    _set(
        flags,
        QualityFlag.NULL_ISLAND,
        _is_placeholder(fixes.lon_deg, fixes.lat_deg, policy.null_island_deg),
    )
    satellite = fixes.is_source(Source.GPS) & (fixes.accuracy_m < policy.frozen_accuracy_m)
    _flag_neighbours(
        flags,
        order=np.arange(len(fixes)),
        owner_no=np.zeros(len(fixes), dtype=np.int64),
        t=fixes.epoch_s,
        lon=fixes.lon_deg,
        lat=fixes.lat_deg,
        accuracy=fixes.accuracy_m,
        satellite=satellite,
        policy=policy,
    )
    return FixArray.from_arrays(
        epoch_s=fixes.epoch_s,
        lon_deg=fixes.lon_deg,
        lat_deg=fixes.lat_deg,
        accuracy_m=fixes.accuracy_m,
        speed_mps=fixes.speed_mps,
        battery_pct=fixes.battery_pct,
        source=fixes.source,
        flags=flags,
        keys=fixes.keys,
    )


def _set(flags: IntArray, flag: QualityFlag, mask: BoolArray) -> None:
    flags[mask] |= int(flag)


def _is_placeholder(lon: FloatArray, lat: FloatArray, tolerance_deg: float) -> BoolArray:
    """Positions that programs write when they have none: 0/0, whole degrees, one number twice."""
    null_island = (np.abs(lon) <= tolerance_deg) & (np.abs(lat) <= tolerance_deg)
    whole = (lon == np.round(lon)) & (lat == np.round(lat))
    return np.asarray(null_island | whole | (lon == lat))


def _flag_neighbours(
    flags: IntArray,
    *,
    order: IntArray,
    owner_no: IntArray,
    t: FloatArray,
    lon: FloatArray,
    lat: FloatArray,
    accuracy: FloatArray,
    satellite: BoolArray,
    policy: QualityPolicy,
) -> None:
    """Set the flags that compare a fix with the one before it of the same owner."""
    a, b = order[:-1], order[1:]
    together = owner_no[a] == owner_no[b]
    length = geodesics_m(lon1_deg=lon[a], lat1_deg=lat[a], lon2_deg=lon[b], lat2_deg=lat[b])
    slack = np.nan_to_num(accuracy[a]) + np.nan_to_num(accuracy[b])
    elapsed = np.maximum(t[b] - t[a], 1.0)
    flags[b[together & ((length - slack) / elapsed > policy.jump_mps)]] |= int(QualityFlag.JUMP)

    same_place = together & (lon[a] == lon[b]) & (lat[a] == lat[b])
    flags[b[same_place & (t[a] == t[b])]] |= int(QualityFlag.DUPLICATE)

    # Runs of one position: number the runs, count their members, flag the long ones.
    run = np.concatenate(([0], np.cumsum(~(same_place & satellite[a] & satellite[b]))))
    long_run = np.bincount(run)[run] >= policy.frozen_fixes
    flags[order[long_run]] |= int(QualityFlag.FROZEN)
