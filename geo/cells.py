"""Where a phone is, as far as the radio cells it heard can tell.

A cell says no more than that the phone was somewhere in its reach. So every answer is a
circle that is meant to hold the phone in 95 of 100 cases, and a table that knows little of
a cell gives a wide one. Cells nobody has surveyed answer with their location area.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from geo.cell_footprint import AreaRecord, CellPolicy, CellRecord, Footprint, settle_records
from geo.cell_identity import CellId, CellRefusal, Radio, check_identity
from geo.distance import LocalPlane, geodesics_m


@dataclass(frozen=True, slots=True, kw_only=True)
class CellSeen:
    """A cell as a phone heard it, unchecked.

    Attributes
    ----------
    radio : None when the client does not say.
    mcc, mnc, area, cell : of CDMA, ``mnc`` is the SID, ``area`` the NID and ``cell`` the BID.
    signal_dbm : RSSI, RSCP or RSRP.
    age_s : seconds since it was heard, None for now.
    serving : whether the phone was camping on it.
    """

    radio: Radio | None
    mcc: int | None
    mnc: int | None
    area: int | None
    cell: int | None
    signal_dbm: float | None = None
    age_s: float | None = None
    serving: bool | None = None

    def identities(self) -> tuple[CellId, ...] | CellRefusal:
        """Return the cells this may be, or why it can be none."""
        return check_identity(
            radio=self.radio, mcc=self.mcc, mnc=self.mnc, area=self.area, cell=self.cell
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CellPlace:
    """A circle that holds the phone in 95 of 100 cases; WGS-84 degrees, metres.

    Attributes
    ----------
    is_area : True when no cell was known and the answer is that of a location area.
    used : cells that decided, or the one area with ``cell`` None.
    notes : ``conflict`` (sources place a cell apart and the circle spans them), ``moved`` (the
        newer place of a cell was taken), ``left_out`` (other cells are far from these).
    dropped : how many cells were left out, by reason.
    """

    lon_deg: float
    lat_deg: float
    accuracy_m: float
    is_area: bool = False
    used: tuple[CellId, ...] = ()
    notes: tuple[str, ...] = ()
    dropped: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class CellUnknown:
    """No place; why: ``no_cells``, ``cell_invalid``, ``stale`` or ``not_found``."""

    reason: str
    dropped: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sighting:
    """A seen cell under the names it may have."""

    seen: CellSeen
    names: tuple[CellId, ...]


def sightings(
    seen: Iterable[CellSeen], *, policy: CellPolicy
) -> tuple[tuple[Sighting, ...], Counter[str]]:
    """Drop what cannot be a cell or is too old, and join what is the same.

    Returns
    -------
    Sightings in an order of their own, so that the order heard never matters; and counts of
    dropped ones by reason.
    """
    dropped: Counter[str] = Counter()
    best: dict[tuple[CellId, ...], CellSeen] = {}
    for one in seen:
        names = one.identities()
        if isinstance(names, CellRefusal):
            dropped[names.value] += 1
        elif one.age_s is not None and one.age_s > policy.max_age_s:
            dropped["stale"] += 1
        elif names not in best or _freshness(one) < _freshness(best[names]):
            best[names] = one
    ordered = sorted(best.items(), key=lambda item: _order(item[0]))
    return tuple(Sighting(one, names) for names, one in ordered), dropped


def _freshness(seen: CellSeen) -> tuple[bool, float, float]:
    strength = -999.0 if seen.signal_dbm is None else seen.signal_dbm
    return not seen.serving, max(seen.age_s or 0.0, 0.0), -strength


def _order(names: tuple[CellId, ...]) -> list[tuple[int, int, int]]:
    return [(n.network, -1 if n.area is None else n.area, n.cell or 0) for n in names]


def locate_cells(
    seen: Iterable[CellSeen],
    *,
    records: Sequence[CellRecord],
    areas: Sequence[AreaRecord],
    now_s: float,
    policy: CellPolicy | None = None,
) -> CellPlace | CellUnknown:
    """Place a phone by the cells it heard.

    Each known cell is a circle; circles that lie close make a cluster; the cluster with the
    most evidence behind it is taken, and in it the mean weighted by evidence, signal, age
    and smallness. No cell known: the location area of the serving one.

    Parameters
    ----------
    seen : cells heard at one moment, any order.
    records : what tables know of these cells; more are harmless. Several of one cell are
        settled first, see `settle_records`.
    areas : what tables know of their areas.
    now_s : epoch seconds; old surveys weigh less.
    policy : thresholds, the defaults when left out.

    Returns
    -------
    A place, or why there is none. The same for every order of all three inputs.

    Notes
    -----
    Follows the published description of Mozilla's location service in its outline. The
    radius differs: a point in circle *i* is within ``d_i + r_i`` of any centre ``d_i`` away
    from its middle, so the smallest of these bounds holds for all circles together.
    """
    policy = policy or CellPolicy()
    found, dropped = sightings(seen, policy=policy)
    if not found:
        reason = ("stale" if set(dropped) == {"stale"} else "cell_invalid") if dropped else None
        return CellUnknown(reason=reason or "no_cells", dropped=dict(dropped))
    known = []
    for sighting in found:
        footprint = footprint_of(sighting, records, now_s=now_s, policy=policy)
        if footprint is not None:
            known.append((sighting, footprint))
    if known:
        return _mean_place(known, dropped, policy)
    return _area_place(found, areas, dropped) or CellUnknown(
        reason="not_found", dropped=dict(dropped)
    )


def names_match(name: CellId, record: CellRecord) -> bool:
    """Whether a record may be about the cell of this name."""
    if (name.network, name.cell) != (record.network, record.cell):
        return False
    return name.area == record.area or name.is_unique_in_network


def footprint_of(
    sighting: Sighting, records: Sequence[CellRecord], *, now_s: float, policy: CellPolicy
) -> Footprint | None:
    """Return where a seen cell is heard, None when no record is about it."""
    matching = [r for r in records if any(names_match(name, r) for name in sighting.names)]
    same_area = [r for r in matching if any(name.area == r.area for name in sighting.names)]
    settled = settle_records(same_area or matching, now_s=now_s, policy=policy)
    drift_m = max(sighting.seen.age_s or 0.0, 0.0) * policy.drift_mps
    return None if settled is None else settled.widened(drift_m)


def _mean_place(
    known: Sequence[tuple[Sighting, Footprint]], dropped: Counter[str], policy: CellPolicy
) -> CellPlace:
    groups = _clusters([f for _, f in known], policy)
    chosen = min(groups, key=lambda group: _rank([known[i] for i in group], policy))
    members = [known[i] for i in chosen]
    notes = {note for _, f in members for note in f.notes}
    if len(groups) > 1:
        notes.add("left_out")
        dropped["left_out"] += len(known) - len(members)
    prints = [f for _, f in members]
    if len(prints) == 1:
        # As it is in the table, to the last digit.
        lon_deg, lat_deg, accuracy_m = prints[0].lon_deg, prints[0].lat_deg, prints[0].radius_m
    else:
        lon_deg, lat_deg, accuracy_m = _mean_circle(members, policy)
    return CellPlace(
        lon_deg=lon_deg,
        lat_deg=lat_deg,
        accuracy_m=accuracy_m,
        used=tuple(f.name for f in prints),
        notes=tuple(sorted(notes)),
        dropped=dict(dropped),
    )


def _mean_circle(
    members: Sequence[tuple[Sighting, Footprint]], policy: CellPolicy
) -> tuple[float, float, float]:
    prints = [f for _, f in members]
    weights = np.array([_weight(s, f, policy) / f.radius_m**2 for s, f in members])
    plane = LocalPlane(prints[0].lon_deg, prints[0].lat_deg)
    east, north = plane.forward([f.lon_deg for f in prints], [f.lat_deg for f in prints])
    lon, lat = plane.inverse(np.average(east, weights=weights), np.average(north, weights=weights))
    away_m = geodesics_m(
        lon1_deg=lon, lat1_deg=lat,
        lon2_deg=[f.lon_deg for f in prints], lat2_deg=[f.lat_deg for f in prints],
    )  # fmt: skip
    bounds_m = away_m + np.array([f.radius_m for f in prints])
    return float(lon[0]), float(lat[0]), float(bounds_m.min())


def _clusters(prints: Sequence[Footprint], policy: CellPolicy) -> list[list[int]]:
    """Join circles that touch once they are blown up a little; any chain makes one cluster."""
    group = list(range(len(prints)))
    for i, one in enumerate(prints):
        for j in range(i):
            reach_m = policy.cluster_stretch * (one.radius_m + prints[j].radius_m)
            if group[i] != group[j] and one.distance_m(prints[j]) <= reach_m:
                group = [group[j] if g == group[i] else g for g in group]
    return [[i for i, g in enumerate(group) if g == number] for number in sorted(set(group))]


def _rank(
    members: Sequence[tuple[Sighting, Footprint]], policy: CellPolicy
) -> tuple[float, float, CellId]:
    evidence = sum(_weight(s, f, policy) for s, f in members)
    return -evidence, min(f.radius_m for _, f in members), members[0][1].name


def _weight(sighting: Sighting, footprint: Footprint, policy: CellPolicy) -> float:
    seen = sighting.seen
    weight = footprint.score * (policy.serving_weight if seen.serving else 1.0)
    if seen.age_s is not None and seen.age_s > policy.fresh_s:
        weight *= (policy.fresh_s / seen.age_s) ** 0.5
    if seen.signal_dbm is not None:
        # Path loss turns decibels into relative distance; weight goes with its square.
        above_db = seen.signal_dbm - policy.typical_dbm[footprint.name.radio]
        weight *= float(np.clip(10.0 ** (above_db / (5.0 * policy.path_loss)), 0.1, 10.0))
    return weight


def _area_place(
    found: Sequence[Sighting], areas: Sequence[AreaRecord], dropped: Counter[str]
) -> CellPlace | None:
    best: tuple[tuple[bool, float, int, CellId], AreaRecord] | None = None
    for sighting in found:
        for name in sighting.names:
            for area in areas:
                if (name.network, name.area) == (area.network, area.area):
                    away = CellId(area.network, area.area, None)
                    rank = (not sighting.seen.serving, area.radius_m, -area.cells, away)
                    if best is None or (rank, area) < best:
                        best = (rank, area)
    if best is None:
        return None
    area = best[1]
    return CellPlace(
        lon_deg=area.lon_deg,
        lat_deg=area.lat_deg,
        accuracy_m=area.radius_m,
        is_area=True,
        used=(CellId(area.network, area.area, None),),
        dropped=dict(dropped),
    )
