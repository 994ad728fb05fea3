"""Words for what is said of visits in codes."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

from server.visits.queries import VisitRow, VisitType, VisitVerdict
from web import formats
from web.alerts.words import quantity
from web.texts import _

TYPES: Mapping[VisitType, LazyString] = {
    VisitType.REGULAR: _l("Regular visit"),
    VisitType.COLD: _l("Cold call"),
    VisitType.FOLLOW_UP: _l("Follow-up"),
}

VERDICTS: Mapping[VisitVerdict, LazyString] = {
    VisitVerdict.VERIFIED: _l("Verified"),
    VisitVerdict.PASSED_BY: _l("Passed by"),
    VisitVerdict.NOT_OBSERVABLE: _l("Not observable"),
    VisitVerdict.NOT_VISITED: _l("Not visited"),
    VisitVerdict.CONTRADICTED: _l("Contradicted"),
}

TONES: Mapping[VisitVerdict, str] = {
    VisitVerdict.VERIFIED: "ok",
    VisitVerdict.PASSED_BY: "warn",
    VisitVerdict.NOT_OBSERVABLE: "mute",
    VisitVerdict.NOT_VISITED: "danger",
    VisitVerdict.CONTRADICTED: "danger",
}

MEANINGS: Mapping[VisitVerdict, LazyString] = {
    VisitVerdict.VERIFIED: _l("Fixes show a stay at the site that is long enough."),
    VisitVerdict.PASSED_BY: _l("The person came by, but no stay counts for this visit."),
    VisitVerdict.NOT_OBSERVABLE: _l(
        "A silence of the phone has room for the visit. Nobody can tell; it blames nobody."
    ),
    VisitVerdict.NOT_VISITED: _l("Fixes show that the person was elsewhere all the time."),
    VisitVerdict.CONTRADICTED: _l(
        "Only made-up positions claim the site. A person has to look at it."
    ),
}

REASONS: Mapping[str, LazyString] = {
    "stay_at_site": _l("The middle of the stay lies at the site, and fixes show it."),
    "partly_inferred": _l(
        "Most of the stay is inferred: the phone rested, and was at one place before and after."
    ),
    "stay_too_short": _l("The stay at the site was too short for this kind of visit."),
    "way_crosses_site": _l("The way led past the site without a stay."),
    "stay_counts_for_another": _l(
        "The stay counts for another visit: one stay serves several sites only when declared."
    ),
    "silence_long_enough_for_a_visit": _l(
        "The phone was silent long enough to go there, stay and come back."
    ),
    "elsewhere_all_the_time": _l("No silence leaves room for the visit."),
    "only_mock_fixes_at_site": _l("The positions at the site come from an app that makes them up."),
}

OTHERWISE: Mapping[str, tuple[LazyString, str]] = {
    "dwell_below_s": (_l("A stay shorter than %(limit)s; it was %(actual)s."), "exact_s"),
    "dwell_at_least_s": (_l("A stay of %(limit)s or more; it was %(actual)s."), "exact_s"),
    "reach_below_m": (
        _l("A stay more than %(limit)s from the pin; it was %(actual)s away."),
        "_m",
    ),
    "stay_within_m": (
        _l("The stay within %(limit)s of the pin; it was %(actual)s away."),
        "_m",
    ),
    "nearest_within_m": (
        _l("A fix within %(limit)s of the pin; the nearest was %(actual)s away."),
        "_m",
    ),
    "silence_below_s": (
        _l("No silence with room for %(limit)s at the site; there was one for %(actual)s."),
        "exact_s",
    ),
    "not_mock_s": (
        _l("Real positions at the site for %(limit)s; made-up ones claim %(actual)s."),
        "exact_s",
    ),
}
"""Sentences of what would have changed a verdict, and the unit of their two quantities."""

FIGURES: Mapping[str, LazyString] = {
    "verdict": _l("Verdict"),
    "arrived_at": _l("Arrived"),
    "left_at": _l("Left"),
    "dwell_s": _l("Stayed within the window"),
    "need_s": _l("Shortest stay"),
    "margin_s": _l("Longer than needed"),
    "nearest_m": _l("Nearest fix"),
    "accuracy_m": _l("Accuracy of the nearest fix"),
    "stay_off_m": _l("Middle of the stay from the pin"),
    "beside_off_m": _l("Nearest long stay from the pin"),
    "room_s": _l("Longest stay a silence has room for"),
    "fixes": _l("Fixes in the window"),
    "unusable": _l("Fixes that cannot be trusted"),
    "way_from": _l("Set out"),
    "way_until": _l("Arrived at the next place"),
    "policy_version": _l("Thresholds"),
    "algorithm_version": _l("Algorithm"),
    "lon_deg": _l("Longitude of the pin"),
    "lat_deg": _l("Latitude of the pin"),
    "radius_m": _l("Radius of the site"),
}
_INSTANTS = frozenset({"arrived_at", "left_at", "way_from", "way_until"})

THRESHOLDS: Mapping[str, LazyString] = {
    "regular_s": _l("Shortest regular visit"),
    "cold_s": _l("Shortest cold call"),
    "follow_up_s": _l("Shortest follow-up"),
    "buffer_m": _l("Beyond the radius that still counts"),
    "accuracy_cap_m": _l("Inaccuracy of a fix credited at most"),
    "min_fixes": _l("Fixes at the site at least"),
    "fastest_mps": _l("Nobody goes there and back faster than"),
    "seen_share": _l("Share of the stay seen, else partly inferred"),
}

REFUSALS: Mapping[str, LazyString] = {
    "form": _l("Choose people and sites, and enter the day and both times."),
    "unknown_site": _l("There is no such site, or it is not yours."),
    "own_visit": _l("Nobody assigns visits to themselves. Ask whoever leads you."),
    "empty_span": _l("The end must be after the start."),
    "span_too_long": _l("A window has 24 hours at most."),
    "note_too_long": _l("A note has 300 characters at most."),
    "visit_too_old": _l("Positions of that day are gone: nothing could be said of the visit."),
    "too_many": _l("At most 200 visits can be assigned at once."),
    "site_closed": _l("This site is closed."),
    "site_without_position": _l("Nobody knows where this site is. Set its position first."),
    "already_cancelled": _l("Somebody else cancelled this visit already."),
}


def otherwise(item: Mapping[str, object]) -> str:
    """Return what would have led to another verdict, as a sentence."""
    kind = str(item.get("if"))
    if kind == "declared_together":
        return _("Both visits declared together, for example as one building.")
    if kind not in OTHERWISE:
        return kind
    sentence, unit = OTHERWISE[kind]
    return str(sentence) % {name: quantity(unit, item.get(name)) for name in ("limit", "actual")}


def label(name: str) -> str:
    """Return what a figure is called."""
    return str(FIGURES.get(name, name))


def figure(name: str, value: object, zone: str) -> str:
    """Return a figure of a verdict with its unit."""
    if value is None:
        return "—"
    if name in _INSTANTS:
        return formats.instant(datetime.fromisoformat(str(value)), zone, seconds=True)
    if name == "verdict":
        return str(VERDICTS[VisitVerdict(str(value))])
    if name.endswith("_s"):
        return quantity("exact_s", value)
    if name.endswith("_deg"):
        return f"{value:.6f}" if isinstance(value, float) else str(value)
    return quantity(name, value)


def state_of(row: VisitRow, *, now: datetime) -> tuple[str, str]:
    """Return what a list says of a visit, in words and as a tone."""
    if row.cancelled_at is not None:
        return _("Cancelled"), "leave"
    if row.verdict is not None:
        return str(VERDICTS[row.verdict]), TONES[row.verdict]
    if row.ends_at > now:
        return _("Planned"), "info"
    return _("Being judged"), "mute"


def thresholds(evidence: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what was in force of the thresholds that people set, by name."""
    inner = evidence.get("thresholds", {}).get("visit", {})
    return [(str(named), quantity(name, inner.get(name))) for name, named in THRESHOLDS.items()]
