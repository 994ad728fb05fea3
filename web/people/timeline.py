"""A person's day as a strip and as lines of text; the same for the person and for leaders."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

from server.tracking.queries import Day, PresenceState, PresenceView
from web import formats
from web.texts import _

CAUSES: Mapping[str, LazyString] = {
    "silent": _l("cause unknown"),
    "battery": _l("battery low"),
    "off": _l("tracking switched off"),
    "offline": _l("no connection"),
    "coarse": _l("positions too coarse"),
    "no_position": _l("phone had no position"),
    "untrusted": _l("positions not trusted"),
}
STATES: Mapping[str, LazyString] = {
    "inside": _l("At the post"),
    "outside": _l("Away from the post"),
    "unknown": _l("Presence unknown"),
}


_WORTH_A_LINE = timedelta(minutes=1)
"""Shorter gaps, such as from the shift's start to the first fix, are only on the strip."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A part of a strip; `x` and `width` in thousandths of the day."""

    x: float
    width: float
    name: str
    title: str


@dataclass(frozen=True, slots=True)
class Spell:
    """One interval of presence in words; `probability` of 0 to 1, None where nobody looked."""

    starts_at: datetime
    ends_at: datetime
    title: str
    probability: float | None


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a timeline; `finding_id` when it leads to an alert."""

    starts_at: datetime
    ends_at: datetime | None
    kind: str
    title: str
    text: str
    finding_id: str | None = None


@dataclass(frozen=True, slots=True)
class Timeline:
    """What a page draws of a day."""

    starts_at: datetime | None
    ends_at: datetime | None
    presence: list[Bar]
    way: list[Bar]
    lines: list[Line]
    spells: list[Spell]


def timeline_of(day: Day) -> Timeline:
    """Return a day for display; instants stay instants, the page knows its zone."""
    if not day.windows:
        return Timeline(None, None, [], [], [], [])
    start, end = day.windows[0].starts_at, day.windows[-1].ends_at

    def bar(a: datetime, b: datetime, name: str, title: str) -> Bar:
        whole = (end - start).total_seconds()
        low = max((a - start).total_seconds() / whole, 0.0)
        high = min((b - start).total_seconds() / whole, 1.0)
        return Bar(round(low * 1000, 2), round(max(high - low, 0.001) * 1000, 2), name, title)

    segments = _segments(day)
    return Timeline(
        starts_at=start,
        ends_at=end,
        presence=[
            bar(
                p.starts_at,
                p.ends_at,
                "inferred" if p.inferred else p.state.value,
                str(STATES[p.state.value]),
            )
            for p in day.presence
        ],
        way=[bar(line.starts_at, line.ends_at or end, line.kind, line.title) for line in segments],
        lines=sorted([*segments, *_findings(day)], key=lambda line: (line.starts_at, line.kind)),
        spells=[
            Spell(p.starts_at, p.ends_at, _spell_title(p), p.probability) for p in day.presence
        ],
    )


def _spell_title(spell: PresenceView) -> str:
    if spell.inferred:
        return _("At the post before and after a silence")
    cause = spell.cause and str(CAUSES.get(spell.cause, spell.cause))
    return " · ".join(part for part in (str(STATES[spell.state.value]), cause) if part)


def interval(distance_m: Mapping[str, float]) -> str:
    """Return a distance as the interval it is known to lie in."""
    low, high = formats.distance(distance_m["low"]), formats.distance(distance_m["high"])
    return low if low == high else _("%(low)s to %(high)s", low=low, high=high)


def _segments(day: Day) -> list[Line]:
    lines = []
    for segment in day.summary.get("trajectory", {}).get("segments", []):
        start = datetime.fromisoformat(segment["start"])
        end = datetime.fromisoformat(segment["end"])
        lasted = formats.duration((end - start).total_seconds())
        if segment["kind"] == "stop":
            text = " · ".join(part for part in (lasted, _post_at(day, start, end)) if part)
            lines.append(Line(start, end, "stop", _("Stop"), text))
        elif segment["kind"] == "trip":
            text = f"{interval(segment['distance_m'])} · {lasted}"
            lines.append(Line(start, end, "trip", _("Trip"), text))
        elif end - start >= _WORTH_A_LINE:
            text = f"{lasted} · {CAUSES.get(segment['cause'], segment['cause'])}"
            lines.append(Line(start, end, "gap", _("No position"), text))
    return lines


def _post_at(day: Day, start: datetime, end: datetime) -> str | None:
    """Return the post that presence puts the middle of a stop at."""
    middle = start + (end - start) / 2
    names = {a.roster_entry_id: a.post_name for a in day.assignments}
    return next(
        (
            names.get(p.roster_entry_id)
            for p in day.presence
            if p.state is PresenceState.INSIDE and p.starts_at <= middle < p.ends_at
        ),
        None,
    )


def _findings(day: Day) -> list[Line]:
    return [
        Line(
            f.starts_at,
            f.ends_at,
            "finding",
            _("Off post"),
            formats.duration(f.duration_s or 0.0),
            str(f.id),
        )
        for f in day.findings
        if f.kind.value == "off_post"
    ]
