"""Thresholds with units and versions: the whole of what an organisation may tune.

A verdict copies the policy it used into its evidence, so an old verdict can be replayed
after the policy has changed.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Final, Self, TypeVar

from geo.errors import PolicyError
from geo.forgery_policy import ForgeryPolicy

DEFAULT_VERSION: Final = "default-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityPolicy:
    """When a fix is doubted. Doubt is a flag; nothing is dropped.

    Ingest flags with these defaults, for every organisation and for good: they are no rows of
    a tenant's policy. A flag is written once into a row that is never changed, so it may not
    depend on what an organisation tunes later, or the same fact would read differently before
    and after. A flag is never a verdict. Those that see neighbours or the way of a message
    (late, jump, frozen, clock, duplicate) are taken off before a day is judged; coarse is
    judged again from the accuracy by `PresencePolicy`, which tenants do tune. Left are the
    flags that deny a fix any worth as evidence, and those rest on the message itself or on
    physics (a mock, a ping, the point 0/0, a time that has not come), not on taste.
    """

    future_s: float = 120.0
    """Device clock this far ahead of the server: the time cannot be believed."""
    clock_s: float = 10.0
    """Device clock this far ahead of the server: worth a note."""
    late_s: float = 300.0
    """Received this long after it was measured."""
    jump_mps: float = 100.0
    """Speed between neighbours, net of both accuracies, that nothing on the ground reaches."""
    coarse_m: float = 1_000.0
    """Accuracy radius beyond which a fix is only a region."""
    frozen_fixes: int = 30
    """So many identical positions in a row, claimed by GPS, are not a measurement."""
    frozen_accuracy_m: float = 20.0
    null_island_deg: float = 0.001


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackPolicy:
    """How a day of fixes becomes stops, trips and gaps."""

    max_speed_mps: float = 100.0
    """Faster between neighbours is an error of measurement (300 km/h trains stay below)."""
    spike_mps: float = 10.0
    """Out and back at this net speed, to where it started, is an error of measurement."""
    spike_max_s: float = 900.0
    """A run of displaced fixes longer than this is believed."""
    max_accuracy_m: float = 200.0
    """Coarser fixes do not join the line."""
    assumed_accuracy_m: float = 10.0
    """Accuracy radius of a GPS fix that claims none."""
    max_gap_s: float = 600.0
    """Silence longer than this while moving is a gap."""
    bridge_max_s: float = 86_400.0
    """Silence up to this inside one stop is inferred stay (phones sleep while they rest)."""
    stop_radius_m: float = 100.0
    stop_edge_m: float = 30.0
    """Fixes of arriving and leaving farther from the middle than this belong to the trips."""
    stop_reacquire_m: float = 200.0
    """The first fix after silence may be this far off: people walk before GPS wakes."""
    stop_rest_mps: float = 0.13
    """Or as far as a tenth of walking goes through the silence, so nine tenths were rest ..."""
    stop_rest_max_m: float = 500.0
    """... but no farther than this."""
    stop_min_s: float = 300.0
    stop_going_mps: float = 0.5
    """Somebody this fast from minute to minute, net of jitter, is on the way ..."""
    stop_going_share: float = 0.3
    """... and is not staying when it is so for more than this share of a short stay."""
    stop_long_s: float = 900.0
    """Longer stays may wander: people walk about a campus."""
    stop_seen_s: float = 90.0
    """So much of a stop must have been seen; the rest may follow from the way there and on."""
    edge_max_s: float = 3_600.0
    """A silence longer than this says nothing about when somebody arrived or left."""
    assumed_pace_mps: float = 6.0
    """Pace on the way where none was seen."""
    stop_outlier_s: float = 120.0
    """An excursion from a stop shorter than this does not end it."""
    low_battery_pct: float = 5.0
    """Silence after a battery this low is blamed on the battery."""
    stop_merge_s: float = 300.0
    """Stops at one place with no more than this between them are one."""
    gate_m: float = 10.0
    """Smallest displacement that counts as movement; removes the sum of jitter."""
    detour_low: float = 1.0
    detour_mid: float = 1.2
    detour_high: float = 1.6
    """Way over straight line in a gap between two places."""
    bead_noise_share: float = 4.5
    """Dense fixes are averaged over a way this many times their accuracy ..."""
    bead_max_s: float = 30.0
    """... but over no longer time than this."""
    detour_share: float = 0.28
    """How much longer than the chord a long way is that nobody looked at for long ..."""
    detour_m: float = 800.0
    detour_s: float = 80.0
    """... reached with this length of the step and with this time for it, both ..."""
    detour_mps: float = 15.0
    """... and less the faster it was: motorways hardly bend."""
    turn_share: float = 0.25
    """How much longer for each radian that the line turns about the step ..."""
    turn_m: float = 300.0
    turn_s: float = 40.0
    """... reached with this length of the step and with this time for it, both."""
    corner_share: float = 0.85
    """So much of the corner is added that the lines before and after a step make ..."""
    corner_s: float = 100.0
    """... less with this time constant: what was not seen for long has more corners."""
    match_min_m: float = 200.0
    """Shorter trips are not matched to roads: their ends matter more than their way."""
    match_beyond_share: float = 0.10
    """A matched way is believed within the interval of the trace, widened by this share."""
    match_spread_share: float = 0.03
    match_end_m: float = 60.0
    """Room of a matched length: a share of it, and metres between door and road."""
    spread_share: float = 0.03
    """Share of the length that the high end adds for what nobody can know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PresencePolicy:
    """How fixes become inside, outside or unknown."""

    buffer_share: float = 0.10
    """Part of a circle's radius beyond the edge that still counts as the edge."""
    buffer_min_m: float = 20.0
    accuracy_floor_m: float = 5.0
    """A fix that claims to be better than this is not believed."""
    accuracy_cap_m: float = 100.0
    """No more than this of a fix's accuracy is credited when it is far out."""
    coarse_m: float = 200.0
    """Coarser fixes decide only when their whole circle lies on one side."""
    assumed_accuracy_m: float = 10.0
    """Accuracy of a GPS or Wi-Fi fix that claims none."""
    exit_fixes: int = 2
    """So many credible fixes outside, with none inside between them, make an exit."""
    exit_hold_s: float = 60.0
    """... over at least this time; the exit then counts from the first of them."""
    edge_hold_s: float = 300.0
    """Inside, but within the edge, counts as long as this: errors last for minutes."""
    max_gap_s: float = 900.0
    """Longer silence is unknown, from the last fix on."""
    bridge_max_s: float = 1_800.0
    """Silence up to this, inside before and after, is inferred inside."""
    low_battery_pct: float = 5.0
    """Silence after a battery this low is blamed on the battery."""
    spike_mps: float = 10.0
    spike_max_s: float = 900.0
    max_speed_mps: float = 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class OffPostPolicy:
    """When being outside is worth a supervisor's time."""

    min_outside_s: float = 600.0
    settle_s: float = 0.0
    """Grace after each duty start."""
    break_budget_s: float = 0.0
    """So much time outside a shift allows altogether, used in time order."""
    min_fixes: int = 2
    """So many fixes outside, two of them at one place, prove an absence ..."""
    lone_fixes: int = 3
    """... or so many wherever they are: a single one may be an error of measurement."""
    agree_m: float = 150.0
    """Two fixes this near, net of their accuracies, are at one place."""
    min_confidence: float = 0.5
    cell_only_confidence: float = 0.6
    """Ceiling when no satellite or Wi-Fi fix agrees: likely away, a lower grade."""
    max_evidence_fixes: int = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitPolicy:
    """When somebody was at a customer's site."""

    regular_s: float = 600.0
    cold_s: float = 180.0
    follow_up_s: float = 600.0
    """Shortest stay that makes a visit, by its type."""
    buffer_m: float = 30.0
    """How far beyond the radius the middle of a stay may be measured."""
    accuracy_cap_m: float = 100.0
    """No more than this of a fix's accuracy is credited."""
    min_fixes: int = 2
    """So many fixes at the site make a stay there."""
    fastest_mps: float = 25.0
    """Nobody goes to a site and back faster than this; decides what a silence has room for."""
    seen_share: float = 0.5
    """Less than this share of the stay seen: the verdict says that it is partly inferred."""
    way_max_s: float = 3_600.0
    """A verified visit excuses the way there, and the way from it, up to this each."""
    pin_near_m: float = 1_000.0
    """A stay this near to a pin speaks of where the site is."""
    pin_spread_m: float = 75.0
    """Stays of several people within this of their middle agree on a place ..."""
    pin_min_people: int = 3
    """... when they are so many people ..."""
    pin_share: float = 0.75
    """... and this share of all who have a say."""

    def dwell_s(self, kind: str) -> float:
        """Shortest stay of a visit type: regular, cold or follow_up."""
        return {"regular": self.regular_s, "cold": self.cold_s, "follow_up": self.follow_up_s}[kind]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimPolicy:
    """What a line of a travel claim may be."""

    min_coverage_share: float = 0.6
    """Less of the span known: nobody can tell."""
    tolerance_share: float = 0.10
    tolerance_m: float = 2_000.0
    """Kilometres up to the larger of these above the likeliest length are not disputed."""
    under_share: float = 0.7
    """A claim below this share of the least feasible length is asked about."""
    doubt_share: float = 1.7
    """A claim is disputed from so many times the room that the measurement leaves above it."""
    rare_s: float = 150.0
    rare_share: float = 0.6
    rare_roads_share: float = 0.47
    """A step seen less often may be this much longer, by the trace alone and along roads."""
    long_gap_s: float = 600.0
    """A silence longer than this may hide a way of its own ..."""
    gap_going_share: float = 0.8
    """... for so much of its length, at the pace of the day ..."""
    gap_detour_share: float = 1.5
    """... and where it ends elsewhere, for no more than this share of the straight way beyond."""
    stay_gap_s: float = 7_200.0
    """A silence longer than this may hide a way even where it ends at the place it began: who
    only sleeps is heard of now and then (OwnTracks reports itself every half hour)."""
    afoot_mps: float = 2.2
    cycling_mps: float = 5.2
    """Nobody who is never faster than this drives; roads are then those of walkers, of cyclists."""
    twice_s: float = 900.0
    """Spans of two lines may overlap by this: nobody notes minutes."""
    night_from_hour: int = 22
    night_to_hour: int = 6
    """Local hours between which a night is spent."""
    night_s: float = 10_800.0
    """So long at the place within those hours makes a night there."""
    leg_slack_s: float = 7_200.0
    """How long before and after a ride somebody may be seen at its ends."""
    slowest_flight_mps: float = 70.0
    """Whoever was seen all the way and never faster than this did not fly."""
    car_mps: float = 45.0
    train_mps: float = 100.0
    flight_mps: float = 280.0
    """Nothing of the kind goes faster on average."""

    def mode_mps(self, mode: str) -> float | None:
        """Fastest average of a means of transport; None for one that is not known."""
        return {
            "car": self.car_mps,
            "bus": self.car_mps,
            "taxi": self.car_mps,
            "train": self.train_mps,
            "flight": self.flight_mps,
            "plane": self.flight_mps,
        }.get(mode)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """All thresholds of the core under one version."""

    version: str = DEFAULT_VERSION
    quality: QualityPolicy = field(default_factory=QualityPolicy)
    track: TrackPolicy = field(default_factory=TrackPolicy)
    presence: PresencePolicy = field(default_factory=PresencePolicy)
    off_post: OffPostPolicy = field(default_factory=OffPostPolicy)
    visit: VisitPolicy = field(default_factory=VisitPolicy)
    claim: ClaimPolicy = field(default_factory=ClaimPolicy)
    forgery: ForgeryPolicy = field(default_factory=ForgeryPolicy)

    @classmethod
    def from_json(cls, document: str | bytes | Mapping[str, Any]) -> Self:
        """Defaults overridden by a document; it needs to name only what it changes.

        Raises
        ------
        PolicyError : not JSON, not an object, an unknown name, or a value that makes no sense.
        """
        if isinstance(document, (str, bytes)):
            try:
                document = json.loads(document)
            except ValueError as error:
                raise PolicyError("not_json", f"policy is not JSON: {error}") from None
        if not isinstance(document, Mapping):
            raise PolicyError("not_object", "policy is not a JSON object")
        base = cls()
        groups = {f.name: getattr(base, f.name) for f in fields(cls) if f.name != "version"}
        unknown = sorted(set(document) - {*groups, "version"})
        if unknown:
            raise PolicyError(
                "unknown_threshold", f"policy has no {unknown[0]!r}; it has {', '.join(groups)}"
            )
        version = document.get("version", "custom" if document else DEFAULT_VERSION)
        if not isinstance(version, str) or not version:
            raise PolicyError("bad_value", "policy version is a text")
        changed = {
            name: _override(group, document.get(name, {}), name) for name, group in groups.items()
        }
        return cls(version=version, **changed)

    def to_json(self) -> dict[str, Any]:
        """All thresholds, defaults included, as a plain dictionary in a fixed order."""
        return asdict(self)


_Group = TypeVar("_Group", QualityPolicy, TrackPolicy, PresencePolicy, OffPostPolicy, VisitPolicy)


def _override(group: _Group, document: object, name: str) -> _Group:
    if not isinstance(document, Mapping):
        raise PolicyError("not_object", f"policy {name} is not a JSON object")
    current = asdict(group)
    changed: dict[str, float | int] = {}
    for key, value in document.items():
        if key not in current:
            raise PolicyError("unknown_threshold", f"policy {name} has no {key!r}")
        if (
            isinstance(value, bool)
            or not isinstance(value, (int, float))
            or not math.isfinite(value)
            or value < 0
        ):
            raise PolicyError("bad_value", f"policy {name}.{key} is not a number of 0 or more")
        if isinstance(current[key], int) and value != int(value):
            raise PolicyError("bad_value", f"policy {name}.{key} is a whole number")
        changed[key] = type(current[key])(value)
    return replace(group, **changed)  # type: ignore[arg-type]
