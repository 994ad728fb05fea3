"""What the core asks of a road network; who answers is not its business."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from geo.distance import FloatArray
from geo.errors import GeoError


class RoadsUnavailable(GeoError):
    """Nobody can be asked for ways now: nothing is known, also not that there is no way."""


class Profile(StrEnum):
    """How a person moves; decides which ways may be used. Values are Valhalla's costings."""

    AUTO = "auto"
    BICYCLE = "bicycle"
    PEDESTRIAN = "pedestrian"


@dataclass(frozen=True, slots=True)
class Matched:
    """A way along roads.

    Attributes
    ----------
    length_m : metres along the roads.
    path : ``(lon, lat)`` vertices, WGS-84 degrees, in the order of travel.
    """

    length_m: float
    path: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class RoadsVersion:
    """Which roads gave an answer: the same ones give the same answer again.

    Attributes
    ----------
    program : what knows them, with its version.
    tiles : what tells one state of the network from another.
    """

    program: str
    tiles: str


class Roads(Protocol):
    """A road network that can match traces and find ways; see `RoadsUnavailable`."""

    @property
    def version(self) -> RoadsVersion:
        """Which roads these are."""
        ...

    def match(
        self,
        lon_deg: FloatArray,
        lat_deg: FloatArray,
        epoch_s: FloatArray,
        accuracy_m: FloatArray,
        *,
        profile: Profile,
    ) -> Matched | None:
        """Return the likeliest way along roads through ``(n,)`` fixes; None when there is none."""
        ...

    def shortest(
        self,
        places: list[tuple[float, float]],
        *,
        profile: Profile,
        near_m: Sequence[float] = (),
    ) -> Matched | None:
        """Return the shortest way through ``(lon, lat)`` places in order; None without one.

        ``near_m`` has a distance for each place: any road within it may be the one, all alike;
        0, and all of them when left out, mean the nearest road.
        """
        ...
