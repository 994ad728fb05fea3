"""Words for every threshold, by family; English is the key of translation."""

from collections.abc import Mapping
from typing import Final

from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

from server.posts.thresholds import Number, Threshold
from web import formats
from web.cards.words import THRESHOLDS
from web.texts import _

FAMILIES: Final[Mapping[str, tuple[LazyString, LazyString]]] = {
    "off_post": (
        _l("Off post"),
        _l("When being outside of a post is worth a supervisor's time."),
    ),
    "presence": (
        _l("Inside or outside"),
        _l("How positions become inside, outside or unknown."),
    ),
    "duty": (
        _l("Duty and live picture"),
        _l("What is kept around duty, when a position is old, how often anybody may be asked."),
    ),
    "trajectory": (
        _l("Stops and trips"),
        _l("How a day of positions becomes stops, trips and gaps."),
    ),
    "visit": (_l("Visits to sites"), _l("When somebody was at a customer's site.")),
    "claim": (_l("Travel claims"), _l("What a line of a travel claim may be.")),
    "forgery": (
        _l("Signs of forgery"),
        _l("When positions look made up. Shares are the weights of the signs."),
    ),
}
"""Family → its name, and what it decides; in the order of the page."""

LABELS: Final[Mapping[str, Mapping[str, LazyString]]] = {
    "off_post": {
        "break_budget_s": _l("Breaks that need no excuse, a shift together"),
        "min_fixes": _l("Fixes outside at least"),
    },
    "duty": {
        "grace_s": _l("Positions are kept so long before and after duty"),
        "stale_s": _l("A newest position older than this is shown as old"),
        "no_signal_s": _l("A newest position older than this is no signal"),
        "ask_phone_s": _l("A phone that is asked is waited for before its carrier is"),
        "ask_again_s": _l("Wait before the same account asks about a person again"),
        "asks_per_hour": _l("Questions of one account within an hour"),
        "asked_per_hour": _l("Questions of all about one person within an hour"),
    },
    "presence": {
        "edge_hold_s": _l("Inside but at the edge counts as long as this"),
    },
    "trajectory": {
        "max_accuracy_m": _l("Coarser positions do not join the line"),
        "max_gap_s": _l("A silence on the way longer than this is a gap"),
        "bridge_max_s": _l("A silence within one stop up to this is inferred stay"),
        "stop_radius_m": _l("Radius of a stop"),
        "stop_edge_m": _l("Farther from the middle, arriving and leaving belong to the trips"),
        "stop_reacquire_m": _l("The first position after silence may be this far off"),
        "stop_rest_mps": _l("… or as far as this pace goes through the silence"),
        "stop_rest_max_m": _l("… but no farther than this"),
        "stop_min_s": _l("Shortest stop"),
        "stop_going_mps": _l("Somebody this fast from minute to minute is on the way"),
        "stop_going_share": _l("… when it is so for more than this share of a short stay"),
        "stop_long_s": _l("A longer stay may wander about a campus"),
        "stop_seen_s": _l("So much of a stop must have been seen"),
        "edge_max_s": _l("A longer silence says nothing about arriving and leaving"),
        "assumed_pace_mps": _l("Pace on the way where none was seen"),
        "stop_outlier_s": _l("A shorter excursion does not end a stop"),
        "stop_merge_s": _l("Stops at one place with no more between them are one"),
        "gate_m": _l("Smallest displacement that counts as movement"),
        "detour_low": _l("Way over straight line in a gap: least"),
        "detour_mid": _l("Way over straight line in a gap: likeliest"),
        "detour_high": _l("Way over straight line in a gap: most"),
        "bead_noise_share": _l("Dense positions are averaged over so many accuracies"),
        "bead_max_s": _l("… but over no longer time than this"),
        "detour_share": _l("Longer than the chord by this share, where nobody looked for long"),
        "detour_m": _l("… reached with this length of the step"),
        "detour_s": _l("… and with this time constant"),
        "detour_mps": _l("… and less at this pace and above: motorways hardly bend"),
        "turn_share": _l("Longer by this share for each radian that the line turns"),
        "turn_m": _l("… reached after turns with this length of the step"),
        "turn_s": _l("… reached after turns with this time constant"),
        "corner_share": _l("So much of a corner is added that the lines before and after make"),
        "corner_s": _l("… less with this time constant"),
        "match_min_m": _l("Shorter trips are not matched to roads"),
        "match_beyond_share": _l("A matched way is believed so far beyond the trace"),
        "match_spread_share": _l("Room of a matched length"),
        "match_end_m": _l("Room between door and road"),
        "spread_share": _l("Share of a length that nobody can know"),
    },
    "visit": {
        "accuracy_cap_m": _l("Inaccuracy credited at most"),
        "way_max_s": _l("A verified visit excuses the way there and back up to this each"),
        "pin_near_m": _l("A stay this near to a pin speaks of where the site is"),
        "pin_spread_m": _l("Stays of several people within this agree on a place"),
        "pin_min_people": _l("… when they are so many people"),
        "pin_share": _l("… and this share of all who have a say"),
    },
    "forgery": {
        "mock_share": _l("Weight: positions marked as made up by the phone"),
        "teleport_share": _l("Weight: stretches joined by impossible speed only"),
        "frozen_share": _l("Weight: one position to the last digit"),
        "constant_share": _l("Weight: accuracy and speed frozen in motion"),
        "replay_share": _l("Weight: positions of an older day again"),
        "twin_share": _l("Weight: two phones together all the way"),
        "clock_share": _l("Weight: a clock that runs ahead"),
        "cell_share": _l("Weight: cells that contradict"),
        "teleport_mps": _l("Faster than this …"),
        "teleport_m": _l("… and farther than this is no travel on the ground"),
        "stretch_fixes": _l("Positions on both sides of a jump at least"),
        "stray_s": _l("A spell of errors is no longer than this"),
        "exact_m": _l("Positions that claim more are vague and prove nothing"),
        "frozen_fixes": _l("Identical positions in a row"),
        "frozen_lasting_fixes": _l("… or so many"),
        "frozen_lasting_s": _l("… over so long"),
        "constant_fixes": _l("Positions in motion with the same accuracy and speed"),
        "moving_m": _l("A longer step is movement"),
        "replay_fixes": _l("Positions that a replayed day has at least"),
        "replay_same_share": _l("So much of a day in an older one is a replay"),
        "acceleration_share": _l("Weight: changes of speed that no vehicle makes"),
        "acceleration_mps2": _l("No vehicle changes its speed faster"),
        "acceleration_step_s": _l("… between positions no farther apart than this"),
        "smooth_share": _l("Weight: a line smoother than receivers draw"),
        "smooth_m": _l("Half of the positions lie no farther beside the line"),
        "smooth_way_m": _l("… over such a way"),
        "frozen_accuracy_m": _l("… that claim to be this exact"),
        "replay_rhythm_fixes": _l("Positions that tell the rhythm of a replay at least"),
        "replay_rhythm_share": _l("A copy keeps so much of the intervals"),
        "replay_near_m": _l("A shaken copy stays this near to the older day"),
        "replay_moving_fixes": _l("Positions under way in a shaken copy at least"),
        "replay_moving_share": _l("… for so much of what it was under way"),
        "replay_error_share": _l("… or has errors that go together like this, standing"),
        "replay_still_s": _l("Errors that do not, over so long, are of another day"),
        "twin_near_m": _l("Two phones no farther apart than this"),
        "twin_near_share": _l("… for so much of the day"),
        "twin_odds": _l("… whose errors are so many times likelier of one receiver than of two"),
        "twin_error_share": _l("… that have so much of their errors in common at most"),
        "pair_s": _l("Places of two days are compared this near in time"),
        "still_pair_s": _l("… and errors, of who stands still, this near"),
        "way_s": _l("Time to either side that tells who is under way"),
        "way_m": _l("Under way is who gets this far in it"),
        "still_window_s": _l("Errors are what is left over the mean of so long to either side"),
        "still_spread_m": _l("… while all of it lies within this"),
        "error_max_m": _l("Larger errors count as this"),
        "still_fixes": _l("Positions that tell how errors go together"),
        "still_s": _l("… over so long"),
        "delay_s": _l("A clock is slow when every position comes this late"),
        "delay_spread_s": _l("… and all of them equally late"),
    },
}
"""What a threshold means, where `web.cards.words` does not say it for every family."""

UNITS: Final[Mapping[str, LazyString]] = {
    "s": _l("seconds"),
    "m": _l("metres"),
    "m/s": _l("metres a second"),
    "m/s²": _l("metres a second, each second"),
    "share": _l("share, 0 to 1"),
    "%": _l("percent"),
    "h": _l("hour of the day"),
    "": _l("number"),
}


def label(kind: str, name: str) -> str:
    """Return what a threshold means, its name when nobody has written it."""
    return str(LABELS.get(kind, {}).get(name) or THRESHOLDS.get(name) or name)


def amount(threshold: Threshold, value: Number) -> str:
    """Return a value with its unit, as people say it."""
    if threshold.unit == "s":
        return formats.exact_duration(value)
    if threshold.unit == "m":
        return formats.distance(value) if value == int(value) else f"{value:g} m"
    if threshold.unit == "share":
        return f"{value * 100:g}%"
    if threshold.unit == "h":
        return f"{int(value):02d}:00"
    if threshold.unit == "%":
        return f"{value:g}%"
    return f"{value:g} {threshold.unit}".strip()


def span(threshold: Threshold) -> str:
    """Return what may be set."""
    return _(
        "%(low)s to %(high)s",
        low=amount(threshold, threshold.low),
        high=amount(threshold, threshold.high),
    )
