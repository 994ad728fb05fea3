"""Words for the codes of evidence documents; a code without words is shown as it is."""

from collections.abc import Mapping

from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

from web.cards import sign_words

RULES: Mapping[str, LazyString] = {
    "off_post": _l("Off post"),
    "gap": _l("No position"),
    "visit": _l("Visit of a site"),
    "pin": _l("Pin of a site"),
    "claim": _l("Line of a travel claim"),
    "forgery": _l("Signs of forgery"),
}

VERDICTS: Mapping[str, LazyString] = {
    "verified": _l("Visited"),
    "passed_by": _l("Passed by"),
    "not_observable": _l("Not observable"),
    "not_visited": _l("Not visited"),
    "contradicted": _l("Contradicted"),
    "supported": _l("Supported"),
    "over": _l("More than feasible"),
    "under": _l("Less than feasible"),
    "cannot_tell": _l("Cannot tell"),
}

PROFILES: Mapping[str, LazyString] = {
    "auto": _l("Car"),
    "bicycle": _l("Bicycle"),
    "pedestrian": _l("On foot"),
}
"""Whose roads a way was sought on."""

REASONS: Mapping[str, LazyString] = {
    # off_post
    "returned": _l("Ended when the person came back."),
    "silence": _l("The phone fell silent while the person was outside; silence is no return."),
    "excused": _l("Ended when an excusal began."),
    "duty_end": _l("Ended with the shift."),
    "fence_changed": _l("Ended when the fence changed; judged anew by the new fence."),
    "open": _l("Still lasts."),
    "cell_only": _l("Only coarse positions of the mobile network speak for it."),
    # gap
    "silent": _l("The phone said nothing; nobody knows why."),
    "battery": _l("The battery was low before the phone fell silent."),
    "off": _l("Tracking was switched off on the phone."),
    "offline": _l("The phone lost its connection and said so."),
    "coarse": _l("There were positions, but too coarse to judge by."),
    "no_position": _l("The phone reported, but had no position."),
    "untrusted": _l("There were positions that cannot be trusted."),
    # visit
    "stay_at_site": _l("A stay long enough with its middle at the site."),
    "partly_inferred": _l("Less than half of the stay was seen; the rest is inferred."),
    "only_mock_fixes_at_site": _l("Only positions of a mock provider claim the site."),
    "silence_long_enough_for_a_visit": _l("A silence was long enough for a visit."),
    "stay_too_short": _l("There was a stay, but a shorter one than such a visit needs."),
    "way_crosses_site": _l("The way crosses the site without a stay."),
    "elsewhere_all_the_time": _l("Seen elsewhere all the time."),
    "stay_counts_for_another": _l(
        "The stay counts for another visit: one stay serves several sites only when declared."
    ),
    # claim
    "coverage_too_low": _l("Too little of the span was seen; a person has to decide."),
    "too_little_seen_to_dispute": _l("Silences or rare fixes leave room for what is claimed."),
    "more_than_feasible": _l("More kilometres than the way can have had."),
    "less_than_feasible": _l("Fewer kilometres than the way must have had."),
    "within_feasible": _l("Within what is feasible."),
    "roads_away": _l(
        "Roads could not be asked: measured by the positions alone, and checked again when they "
        "can be."
    ),
    "claimed_stop_not_seen": _l("A claimed stop was not seen."),
    "seen_elsewhere": _l("Seen elsewhere."),
    "seen_at_place": _l("Seen at the place."),
    "not_seen_enough": _l("Seen too little to tell."),
    "seen_at_both_ends": _l("Seen at both ends."),
    "still_at_origin": _l("Still at the origin after the claimed arrival."),
    "elsewhere_on_arrival": _l("Elsewhere at the claimed arrival."),
    "ends_not_seen": _l("The ends were not seen."),
    "claimed_twice": _l("An earlier claim covers the same span."),
    "on_leave": _l("On approved leave in the span."),
    "faster_than_mode": _l("Faster than this means of transport goes."),
    "slower_than_mode": _l("Seen all the way, and never as fast as a plane."),
    "span_claimed_twice": _l("Another line claims the same time."),
    "night_claimed_twice": _l("Another line claims the same night."),
    "nights_in_two_places": _l("Another line claims the same night elsewhere."),
    "days_claimed_twice": _l("Another line claims some of the same days."),
    # forgery
    "mock": _l("Positions of a mock provider."),
    "teleport": _l("Stretches that only an impossible speed joins."),
    "acceleration": _l("Changes of speed that no vehicle makes."),
    "frozen": _l("One position to the last digit, many times."),
    "constant": _l("Accuracy and speed never change in motion."),
    "smooth": _l("A way without any error of measurement."),
    "replay": _l("The positions of an older day again."),
    "twin": _l("Two phones that move and err as one."),
    "clock": _l("The phone's clock is set wrong."),
    "cell_mismatch": _l("The cells heard contradict the position."),
}

FIGURES: Mapping[str, LazyString] = {
    "duration_s": _l("Lasted"),
    "silent_s": _l("Silent in it"),
    "break_used_s": _l("Break budget used before"),
    "max_distance_m": _l("Farthest from the fence"),
    "margin_m": _l("Margin"),
    "off_post.margin_m": _l("Margin of the weakest fix"),
    "off_post.coverage": _l("Share of the shift with a position"),
    "confidence": _l("Confidence"),
    "coverage": _l("Share of the span with a position"),
    "cause": _l("Cause"),
    "bridged": _l("Same place before and after"),
    "dwell_s": _l("Stayed"),
    "need_s": _l("Stay that is needed"),
    "nearest_m": _l("Nearest fix"),
    "accuracy_m": _l("Accuracy of the nearest fix"),
    "room_s": _l("Stay that a silence has room for"),
    "arrived_at": _l("Arrived"),
    "left_at": _l("Left"),
    "stay_off_m": _l("Middle of the stay from the pin"),
    "beside_off_m": _l("Nearest long stay from the pin"),
    "way_from": _l("Set out"),
    "way_until": _l("Arrived at the next place"),
    "margin_s": _l("Margin in time"),
    "fixes": _l("Fixes"),
    "unusable": _l("Fixes that prove nothing"),
    "low_m": _l("At least"),
    "mid_m": _l("Most likely"),
    "fair_m": _l("Not disputed up to"),
    "high_m": _l("At most"),
    "doubt_m": _l("More that silences leave room for"),
    "stops_not_seen": _l("Stops not seen"),
    "matched_to_roads": _l("Roads known"),
    "spans": _l("Night or day"),
    "length_s": _l("Length"),
    "there_s": _l("Seen there"),
    "known_s": _l("Seen at all"),
    "straight_m": _l("Straight line"),
    "mps": _l("Average speed"),
    "profile": _l("Roads of"),
    "seen_share": _l("Share that was seen"),
    "origin": _l("Origin"),
    "destination": _l("Destination"),
    "score": _l("Score"),
    "jumps": _l("Jumps"),
    "fastest_mps": _l("Fastest"),
    "farthest_m": _l("Farthest"),
    "same_share": _l("Positions the other day has too"),
    "day": _l("Older day"),
    "other": _l("Other phone"),
    **sign_words.FIGURES,
}

THRESHOLDS: Mapping[str, LazyString] = {
    "min_outside_s": _l("Outside at least"),
    "settle_s": _l("Time to settle at the start of a shift"),
    "break_budget_s": _l("Break budget of a shift"),
    "min_fixes": _l("Fixes at least"),
    "min_confidence": _l("Confidence at least"),
    "cell_only_confidence": _l("Confidence of network positions at most"),
    "max_evidence_fixes": _l("Fixes kept as evidence"),
    "buffer_share": _l("Buffer as a share of the radius"),
    "buffer_min_m": _l("Buffer around the edge at least"),
    "accuracy_floor_m": _l("A fix is taken to be no more accurate than"),
    "accuracy_cap_m": _l("Inaccuracy credited far from the fence at most"),
    "coarse_m": _l("Coarser fixes decide only as a whole circle"),
    "assumed_accuracy_m": _l("Accuracy of a fix that claims none"),
    "exit_fixes": _l("Fixes in a row outside that make an exit"),
    "lone_fixes": _l("Fixes outside at scattered places that count too"),
    "agree_m": _l("Fixes this near are at one place"),
    "exit_hold_s": _l("Time that they span at least"),
    "edge_hold_s": _l("Time inside, but near the edge, that makes a return"),
    "max_gap_s": _l("A silence longer than this is a gap"),
    "bridge_max_s": _l("A silence at one place that still counts as there"),
    "low_battery_pct": _l("A silence after a battery this low is the battery's"),
    "spike_mps": _l("There and back this fast is an error of measurement"),
    "spike_max_s": _l("A displacement longer than this is believed"),
    "max_speed_mps": _l("Nothing on the ground is faster"),
    "regular_s": _l("Stay of a regular visit"),
    "cold_s": _l("Stay of a first visit"),
    "follow_up_s": _l("Stay of a follow-up"),
    "buffer_m": _l("Beyond the radius the middle of a stay may lie"),
    "fastest_mps": _l("Nobody goes there and back faster"),
    "seen_share": _l("Share of a stay that must be seen, else it is partly inferred"),
    "way_max_s": _l("A verified visit excuses a way up to"),
    "pin_near_m": _l("A stay this near speaks of the pin"),
    "pin_spread_m": _l("Stays this near to their middle agree"),
    "pin_min_people": _l("People who must agree"),
    "pin_share": _l("Share of all who must agree"),
    "min_coverage_share": _l("Share that must be seen"),
    "tolerance_share": _l("Tolerance above the likeliest length"),
    "tolerance_m": _l("Tolerance at least"),
    "doubt_share": _l("Room that the measurement leaves, taken so many times"),
    "under_share": _l("Asked about below this share of the least"),
    "long_gap_s": _l("A silence longer than this may hide a way"),
    "rare_s": _l("Fixes rarer than this leave room for more"),
    "rare_share": _l("Room between rare fixes, by the trace alone"),
    "rare_roads_share": _l("Room between rare fixes, along roads"),
    "gap_going_share": _l("Share of such a silence that may have been spent on the way"),
    "gap_detour_share": _l("Detour that a silence between two places may hide"),
    "stay_gap_s": _l("A silence longer than this may hide a way there and back"),
    "afoot_mps": _l("Whoever is never faster goes on foot"),
    "cycling_mps": _l("Whoever is never faster goes by bicycle"),
    "twice_s": _l("Lines may overlap by"),
    "night_from_hour": _l("A night begins at"),
    "night_to_hour": _l("A night ends at"),
    "night_s": _l("Time there that makes a night"),
    "leg_slack_s": _l("Time around a ride in which its ends may be seen"),
    "slowest_flight_mps": _l("No plane stays slower all the way"),
    "car_mps": _l("No car goes faster on average"),
    "train_mps": _l("No train goes faster on average"),
    "flight_mps": _l("No plane goes faster on average"),
    "review_confidence": _l("A person looks from this score on"),
    **sign_words.THRESHOLDS,
}

INPUTS: Mapping[str, LazyString] = {
    "fixes": _l("Fixes"),
    "fix_count": _l("Fixes outside"),
    "roster_entry_id": _l("Roster entry"),
    "duty": _l("Shift"),
    "post": _l("Fence"),
    "excusals": _l("Excusals considered"),
    "breaks": _l("Time that the break budget bears"),
    "site": _l("Site"),
    "site_id": _l("Key of the site"),
    "visit": _l("Visit"),
    "line": _l("Line of the claim"),
    "stops": _l("Claimed stops"),
    "roads": _l("Roads"),
    "place": _l("Claimed place"),
    "claimed_twice": _l("Earlier claims of the same span"),
    "on_leave": _l("Approved leave in the span"),
    "mode": _l("Means of transport"),
    "other_lines": _l("Other lines"),
    "looked_at": _l("Fixes looked at"),
    "compared": _l("Days compared with"),
}

MEMBERS: Mapping[str, LazyString] = {
    "count": _l("number"),
    "digest": _l("digest"),
    "id": _l("key"),
    "kind": _l("kind"),
    "lat_deg": _l("latitude"),
    "lon_deg": _l("longitude"),
    "name": _l("name"),
    "program": _l("program"),
    "radius_m": _l("radius"),
    "tiles": _l("road tiles"),
    "type": _l("kind"),
    "valid_from": _l("valid from"),
    "version": _l("version"),
}
"""Members of an input that is shown on one line."""

TYPES: Mapping[str, LazyString] = {
    "regular": _l("Regular visit"),
    "cold": _l("Cold call"),
    "follow_up": _l("Follow-up"),
}

MODES: Mapping[str, LazyString] = {
    "car": _l("Car"),
    "taxi": _l("Taxi"),
    "bus": _l("Bus"),
    "train": _l("Train"),
    "flight": _l("Flight"),
}

OTHERWISE: Mapping[str, tuple[LazyString, str]] = {
    "shorter_than_s": (_l("An absence shorter than %(limit)s; it was %(actual)s."), "exact_s"),
    "buffer_at_least_m": (
        _l("A buffer of %(actual)s or more around the edge; it is %(limit)s."),
        "_m",
    ),
    "confidence_below": (_l("A confidence below %(limit)s; it was %(actual)s."), "confidence"),
    "break_budget_above_s": (
        _l("A break budget of more than %(actual)s a shift; it is %(limit)s."),
        "exact_s",
    ),
    "a_fix_every_s": (
        _l("A fix every %(limit)s or more often; there was none for %(actual)s."),
        "exact_s",
    ),
    "stay_at_least_s": (_l("A stay of %(limit)s or more; it was %(actual)s."), "exact_s"),
    "stay_below_s": (_l("A stay shorter than %(limit)s; it was %(actual)s."), "exact_s"),
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
    "declared_together": (
        _l("Both visits declared together, for example as one building."),
        "",
    ),
    "claimed_at_most_m": (_l("A claim of %(limit)s or less; it was %(actual)s."), "_m"),
    "claimed_at_most": (_l("A claim of %(limit)s or less; it was %(actual)s."), ""),
    "claimed_above_m": (_l("A claim of more than %(limit)s; it was %(actual)s."), "_m"),
    "claimed_at_least_m": (_l("A claim of %(limit)s or more; it was %(actual)s."), "_m"),
    "claimed_below_m": (_l("A claim of less than %(limit)s; it was %(actual)s."), "_m"),
    "coverage_below": (
        _l("A position for less than %(limit)s of the span; it was %(actual)s."),
        "coverage",
    ),
    "seen_there_at_least": (
        _l("Seen there on %(limit)s nights or days; it was %(actual)s."),
        "",
    ),
    "seen_there_below": (
        _l("Seen there on fewer than %(limit)s nights or days; it was %(actual)s."),
        "",
    ),
    "there_at_least_s": (_l("At the place for %(limit)s or more; it was %(actual)s."), "exact_s"),
    "arrival_within_m": (
        _l("Seen within %(limit)s of the destination; the nearest fix was %(actual)s away."),
        "_m",
    ),
    "mps_above": (_l("An average of more than %(limit)s; it was %(actual)s."), "mps"),
    "fastest_at_least_mps": (
        _l("Seen at %(limit)s or faster; the fastest was %(actual)s."),
        "mps",
    ),
    "mps_at_most": (_l("An average of %(limit)s or less; it was %(actual)s."), "mps"),
    "coverage_at_least": (
        _l("A position for %(limit)s of the span or more; it was %(actual)s."),
        "coverage",
    ),
}
"""Sentences of what would have changed a verdict, and the unit of their two quantities."""

COMPARED: Mapping[str, tuple[tuple[str, str], ...]] = {
    "off_post": (("duration_s", "min_outside_s"), ("confidence", "min_confidence")),
    "gap": (("duration_s", "max_gap_s"),),
    "visit": (("dwell_s", "need_s"),),
    "claim": (("coverage", "min_coverage_share"),),
    "forgery": (("score", "review_confidence"),),
}
"""What was measured against which limit, by rule: figure and threshold (or other figure)."""


def word(words: Mapping[str, LazyString], code: object, rule: str = "") -> str:
    """Return what a code means in words, the code itself when there are none.

    A rule may have words of its own: `<rule>.<code>` comes before `<code>`.
    """
    return str(words.get(f"{rule}.{code}", words.get(str(code), str(code))))
