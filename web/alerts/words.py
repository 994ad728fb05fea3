"""Words for what evidence says in codes; every number with its unit."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

from web import formats
from web.texts import _

KINDS: Mapping[str, LazyString] = {"off_post": _l("Off post"), "gap": _l("No position")}

REASONS: Mapping[str, LazyString] = {
    "returned": _l("Ended when the person came back."),
    "silence": _l("The phone fell silent while the person was outside; silence is no return."),
    "excused": _l("Ended when an excusal began."),
    "duty_end": _l("Ended with the shift."),
    "fence_changed": _l("Ended when the fence changed; judged anew by the new fence."),
    "open": _l("Still lasts."),
    "cell_only": _l("Only coarse positions of the mobile network speak for it."),
    "silent": _l("The phone said nothing; nobody knows why."),
    "battery": _l("The battery was low before the phone fell silent."),
    "off": _l("Tracking was switched off on the phone."),
    "offline": _l("The phone lost its connection and said so."),
    "coarse": _l("There were positions, but too coarse to judge by."),
    "no_position": _l("The phone reported, but had no position."),
    "untrusted": _l("There were positions that cannot be trusted."),
}

REVIEWS: Mapping[str, LazyString] = {
    "acknowledge": _l("Acknowledged"),
    "false_alarm": _l("False alarm"),
    "note": _l("Note"),
}

THRESHOLDS: Mapping[str, LazyString] = {
    "min_outside_s": _l("Outside at least"),
    "settle_s": _l("Time to settle at the start of a shift"),
    "min_fixes": _l("Fixes outside at least"),
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
    "max_gap_s": _l("A silence longer than this is a gap"),
    "bridge_max_s": _l("A silence inside that still counts as inside"),
    "low_battery_pct": _l("A silence after a battery this low is the battery's"),
    "spike_mps": _l("There and back this fast is an error of measurement"),
    "spike_max_s": _l("A displacement longer than this is believed"),
    "max_speed_mps": _l("Nothing on the ground is faster"),
}

OTHERWISE: Mapping[str, tuple[LazyString, str]] = {
    "shorter_than_s": (_l("An absence shorter than %(limit)s; it was %(actual)s."), "exact_s"),
    "buffer_at_least_m": (
        _l("A buffer of %(actual)s or more around the edge; it is %(limit)s."),
        "_m",
    ),
    "confidence_below": (_l("A confidence below %(limit)s; it was %(actual)s."), "confidence"),
    "a_fix_every_s": (
        _l("A fix every %(limit)s or more often; there was none for %(actual)s."),
        "exact_s",
    ),
}
"""Sentences of what would have changed a verdict, and the unit of their two quantities."""

CONFLICTS: Mapping[str, LazyString] = {
    "already_reviewed": _l("Somebody else was faster: the alert bears this verdict already."),
    "finding_retracted": _l("Late data disproved this alert meanwhile. There is nothing to judge."),
    "reason_missing": _l("Write a reason; the person concerned will see it."),
    "none_chosen": _l("Choose at least one alert."),
    "too_many": _l("At most 200 alerts can be acknowledged at once."),
    "reason_too_long": _l("A reason has 1,000 characters at most."),
}

_QUANTITIES = ("limit", "actual")


def quantity(name: str, value: object) -> str:
    """Return a figure or threshold with the unit its name ends in."""
    if value is None:
        return "—"
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, int | float):
        if name == "exact_s":
            return formats.exact_duration(value)
        if name.endswith("_s"):
            return formats.duration(value)
        if name.endswith("_m"):
            return formats.distance(value)
        if name.endswith(("_share", "coverage", "confidence")):
            return f"{value:.0%}"
        if name.endswith("_pct"):
            return f"{value:g}%"
        if name.endswith("_mps"):
            return f"{value:g} m/s"
        return f"{value:g}"
    return str(value)


def word(words: Mapping[str, LazyString], code: str) -> str:
    """Return what a code means in words, the code itself when there are none."""
    return str(words.get(code, code))


def otherwise(item: Mapping[str, Any], zone: str) -> str:
    """Return what would have led to another conclusion, as a sentence."""
    kind = str(item.get("if"))
    if kind in OTHERWISE:
        sentence, unit = OTHERWISE[kind]
        return str(sentence) % {name: quantity(unit, item.get(name)) for name in _QUANTITIES}
    if kind == "excused":
        until = item.get("until")
        return _(
            "An approved leave, outing or break from %(start)s until %(end)s.",
            start=_clock(item.get("from"), zone),
            end=_clock(until, zone) if until else _("the return"),
        )
    return kind


def _clock(text: object, zone: str) -> str:
    return formats.clock_time(datetime.fromisoformat(str(text)), zone)
