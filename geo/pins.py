"""Wrong pin or wrong person: what stays of several people say of where a site is."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Final

import numpy as np

from geo.distance import FloatArray, LocalPlane
from geo.policy import VisitPolicy
from geo.sites import Site
from geo.verdict import Evidence

RULE: Final = "pin"


class PinFinding(StrEnum):
    """What stays say of a pin."""

    FITS = "fits"
    WRONG_PIN = "wrong_pin"
    WRONG_PERSON = "wrong_person"
    CANNOT_TELL = "cannot_tell"


@dataclass(frozen=True, slots=True)
class SiteStay:
    """Where one person stayed when they should have been at a site.

    Attributes
    ----------
    person : identity; everybody has one say, however often they were there.
    key : identity of the visit.
    """

    person: str
    lon_deg: float
    lat_deg: float
    key: str = ""


@dataclass(frozen=True, slots=True)
class PinJudgement:
    """What stays say of a pin, with where it should be when it is wrong.

    Attributes
    ----------
    place : `(lon, lat)` proposed, WGS-84 degrees; only for `WRONG_PIN`.
    people_off : who stays elsewhere while the others are at the pin; for `WRONG_PERSON`.
    """

    finding: PinFinding
    place: tuple[float, float] | None
    people_off: tuple[str, ...]
    evidence: Evidence


def judge_pin(
    stays: Sequence[SiteStay], site: Site, *, policy: VisitPolicy, policy_version: str = ""
) -> PinJudgement:
    """Judge whether a pin is wrong, or somebody who is never at it.

    Several people whose stays agree on a place clear of the pin's radius say that the pin is
    wrong; one who is elsewhere while others are at the pin is a question to that person. Who
    is alone says nothing of the pin, and nothing is proposed.

    Parameters
    ----------
    stays : of the people who were to visit the site, in any order, repeats allowed; those
        farther than `pin_near_m` count for nothing.
    site : pin and radius as they are.
    policy : `pin_*` thresholds and `buffer_m`.

    Returns
    -------
    A pure function of the set of stays. One person has one say, the most central of their
    stays, so that nobody moves a pin by coming often; O(n²) in the stays.
    """
    plane = LocalPlane(site.lon_deg, site.lat_deg)
    says = _says(stays, plane, policy)
    names = sorted(says)
    places = np.array([says[name] for name in names], dtype=np.float64).reshape(-1, 2)
    reach_m = site.radius_m + policy.buffer_m
    off_m = np.hypot(places[:, 0], places[:, 1])
    away = off_m > reach_m
    agreeing = _agreeing(places[away], policy.pin_spread_m)
    off = tuple(name for name, one in zip(names, away.tolist(), strict=True) if one)
    middle: FloatArray | None = None
    if len(agreeing) >= max(policy.pin_min_people, 2) and (
        len(agreeing) >= policy.pin_share * len(names)
    ):
        finding, middle = PinFinding.WRONG_PIN, np.median(places[away][agreeing], axis=0)
    elif not off and names:
        finding = PinFinding.FITS
    elif len(names) - len(off) >= max(policy.pin_min_people - 1, 1) and off:
        finding = PinFinding.WRONG_PERSON
    else:
        finding = PinFinding.CANNOT_TELL
    place = None
    if middle is not None:
        lon, lat = plane.inverse(float(middle[0]), float(middle[1]))
        place = (round(float(lon[0]), 6), round(float(lat[0]), 6))
    figures = {
        "people": len(names),
        "people_off": len(off),
        "agreeing": len(agreeing),
        "off_m": None if middle is None else round(float(np.hypot(*middle)), 1),
        "spread_m": None
        if middle is None
        else round(float(np.hypot(*(places[away][agreeing] - middle).T).max()), 1),
        "reach_m": reach_m,
    }
    return PinJudgement(
        finding=finding,
        place=place,
        people_off=off if finding is PinFinding.WRONG_PERSON else (),
        evidence=Evidence(
            rule=RULE,
            policy_version=policy_version,
            thresholds={
                name: value
                for name, value in asdict(policy).items()
                if name.startswith("pin_") or name == "buffer_m"
            },
            inputs={"site": asdict(site), "visits": sorted({s.key for s in stays if s.key})},
            figures=figures,
            reasons=(finding.value,),
        ),
    )


def _says(
    stays: Sequence[SiteStay], plane: LocalPlane, policy: VisitPolicy
) -> dict[str, tuple[float, float]]:
    """Return each person's most central stay, metres east and north of the pin."""
    found: defaultdict[str, set[tuple[float, float]]] = defaultdict(set)
    for stay in stays:
        east, north = plane.forward(stay.lon_deg, stay.lat_deg)
        place = (float(east[0]), float(north[0]))
        if float(np.hypot(*place)) <= policy.pin_near_m:
            found[stay.person].add(place)
    return {person: _most_central(sorted(places)) for person, places in found.items()}


def _most_central(places: list[tuple[float, float]]) -> tuple[float, float]:
    """Of places in order: the one nearest to all others; the nearest to the pin among equals."""
    every = np.array(places)
    sums = np.hypot(*(every[:, None] - every[None]).transpose(2, 0, 1)).sum(axis=1)
    order = np.lexsort((np.hypot(every[:, 0], every[:, 1]), np.round(sums, 6)))
    return places[int(order[0])]


def _agreeing(places: FloatArray, spread_m: float) -> list[int]:
    """Return the largest set of places that lie within `spread_m` of their middle."""
    best: list[int] = []
    for place in places:
        members = np.flatnonzero(np.hypot(*(places - place).T) <= spread_m)
        middle = np.median(places[members], axis=0)
        held = np.flatnonzero(np.hypot(*(places - middle).T) <= spread_m).tolist()
        if len(held) > len(best):
            best = held
    return best
