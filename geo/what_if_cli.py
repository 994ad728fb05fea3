"""What another rule would say of a file of fixes: `outpost what-if` without a server."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from geo import ALGORITHM_VERSION
from geo.cli import read_columns, read_json, read_window, read_windows
from geo.errors import UnreadableInput
from geo.fix import FixArray
from geo.geofence import Geofence
from geo.offpost import OffPostInterval, detect_off_post
from geo.policy import Policy
from geo.presence import Window, detect_presence
from geo.quality import flag_series
from geo.verdict import parse_instant
from geo.what_if import Stretch, compare, totals

Number = int | float

_POST_TERMS: Final = {
    "dwell_s": ("off_post", "min_outside_s"),
    "buffer_m": ("presence", "buffer_min_m"),
}


def replay_file(
    file: str,
    *,
    post_file: str,
    duty: Sequence[str],
    excused: Sequence[str] = (),
    policy_file: str | None = None,
    tried_file: str | None = None,
    set_to: Mapping[str, Mapping[str, Number]],
    radius_m: float | None = None,
    as_of: str | None = None,
    datum: str,
) -> dict[str, Any]:
    """Judge a file of fixes under two rules and compare.

    Parameters
    ----------
    file, post_file, duty, excused, as_of, datum : as `outpost presence` takes them.
    policy_file : JSON of the first rule; the defaults when left out.
    tried_file : JSON of what the second rule changes of the first.
    set_to : single thresholds of the second rule, by group and name; they go last.
    radius_m : of the post's circle under the second rule, metres.

    Returns
    -------
    Plain values for `geo.verdict.canonical_json`; the same input gives the same.

    Raises
    ------
    GeoError : input that cannot be used.
    """
    old = {} if policy_file is None else _document(policy_file)
    tried = {} if tried_file is None else _document(tried_file)
    before = Policy.from_json(old)
    after = Policy.from_json(_merged(_merged(old, tried), {"version": "tried", **set_to}))
    fence = Geofence.from_geojson(read_json(post_file))
    windows = read_windows(tuple(duty))
    columns = flag_series(read_columns(file, datum), policy=before.quality)
    now = parse_instant(as_of) if as_of else windows[-1].end
    spans = [read_window(text) for text in excused]
    duty_on = _Duty(columns, windows, spans, now)
    first = duty_on.off_posts(fence, before)
    second = duty_on.off_posts(_resized(fence, radius_m), after)
    flips = compare(map(_stretch, first), map(_stretch, second))
    return {
        "before": {"off_post": [_plain(each) for each in first], "policy": before.to_json()},
        "after": {
            "off_post": [_plain(each) for each in second],
            "policy": after.to_json(),
            "radius_m": radius_m,
        },
        "flips": [asdict(flip) for flip in flips],
        "totals": totals(flips),
        "as_of": now,
        "algorithm_version": ALGORITHM_VERSION,
    }


def post_terms(*, dwell_s: float | None, buffer_m: float | None) -> dict[str, dict[str, Number]]:
    """Return the thresholds that a post's own limit and buffer stand for."""
    said: dict[str, dict[str, Number]] = {}
    for name, value in (("dwell_s", dwell_s), ("buffer_m", buffer_m)):
        if value is not None:
            group, threshold = _POST_TERMS[name]
            said.setdefault(group, {})[threshold] = value
    if buffer_m is not None:
        # A post with a buffer of its own has it whatever its size.
        said["presence"]["buffer_share"] = 0.0
    return said


@dataclass(frozen=True, slots=True, eq=False)
class _Duty:
    """What both rules are asked about."""

    fixes: FixArray
    windows: Sequence[Window]
    excused: Sequence[Window]
    as_of: datetime

    def off_posts(self, fence: Geofence, policy: Policy) -> tuple[OffPostInterval, ...]:
        """Return the absences under one rule."""
        seen = detect_presence(
            self.fixes, fence, self.windows, policy=policy.presence, as_of=self.as_of
        )
        return detect_off_post(
            seen,
            self.fixes,
            fence,
            duty=self.windows,
            excused=self.excused,
            policy=policy.off_post,
            as_of=self.as_of,
            policy_version=policy.version,
        )


def _resized(fence: Geofence, radius_m: float | None) -> Geofence:
    if radius_m is None:
        return fence
    if fence.radius_m is None:
        raise UnreadableInput("no_circle", "only a circle has a radius to change")
    lon_deg, lat_deg = fence.centre
    return Geofence.circle(lon_deg=lon_deg, lat_deg=lat_deg, radius_m=radius_m)


def _stretch(found: OffPostInterval) -> Stretch:
    return Stretch(found.start, found.end, found.duration_s, found.margin_m)


def _plain(found: OffPostInterval) -> dict[str, Any]:
    return {
        "start": found.start,
        "end": found.end,
        "duration_s": found.duration_s,
        "max_distance_m": found.max_distance_m,
        "margin_m": found.margin_m,
        "confidence": found.confidence,
        "reasons": found.reasons,
    }


def _document(name: str) -> Mapping[str, Any]:
    document = read_json(name)
    if not isinstance(document, Mapping):
        raise UnreadableInput("not_object", f"{name}: not a JSON object")
    return document


def _merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a document with another laid over it, group by group."""
    merged = dict(base)
    for name, value in changes.items():
        below = merged.get(name)
        if isinstance(below, Mapping) and isinstance(value, Mapping):
            merged[name] = {**below, **value}
        else:
            merged[name] = value
    return merged
