"""Words of the pages of visits; those of evidence are in `web.cards.words`."""

from collections.abc import Mapping
from datetime import datetime

from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

from server.visits.pin_doubts import PinDoubt, PinFinding
from server.visits.queries import VisitRow, VisitVerdict
from web import formats
from web.cards.quantities import quantity
from web.cards.words import FIGURES, TYPES, VERDICTS, word
from web.texts import _

__all__ = [
    "MEANINGS",
    "REFUSALS",
    "TONES",
    "TYPES",
    "VERDICTS",
    "doubt_pill",
    "doubt_sentence",
    "figure",
    "label",
    "state_of",
]

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

MORE: Mapping[str, LazyString] = {
    "verdict": _l("Verdict"),
    "policy_version": _l("Thresholds"),
    "algorithm_version": _l("Algorithm"),
    "lon_deg": _l("Longitude of the pin"),
    "lat_deg": _l("Latitude of the pin"),
    "radius_m": _l("Radius of the site"),
}
"""What two versions of a verdict may differ in besides figures."""

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


def label(name: str) -> str:
    """Return what a figure is called."""
    return str(MORE[name]) if name in MORE else word(FIGURES, name, "visit")


def figure(name: str, value: object, zone: str) -> str:
    """Return a figure of a verdict with its unit."""
    if name == "verdict" and value is not None:
        return word(VERDICTS, value)
    if isinstance(value, str) and name.endswith(("_at", "_from", "_until")):
        return formats.instant(datetime.fromisoformat(value), zone, seconds=True)
    if name.endswith("_deg") and isinstance(value, float):
        return f"{value:.6f}"
    return quantity("exact_s" if name.endswith("_s") else name, value)


def state_of(row: VisitRow, *, now: datetime) -> tuple[str, str]:
    """Return what a list says of a visit, in words and as a tone."""
    if row.cancelled_at is not None:
        return _("Cancelled"), "leave"
    if row.verdict is not None:
        return word(VERDICTS, row.verdict), TONES[row.verdict]
    if row.ends_at > now:
        return _("Planned"), "info"
    return _("Being judged"), "mute"


def doubt_pill(doubt: PinDoubt) -> str:
    """Return what a list says of a stay off the pin, beside the verdict."""
    if doubt.finding is PinFinding.WRONG_PIN:
        return _("Pin may be wrong")
    return _("Others were at the pin")


def doubt_sentence(doubt: PinDoubt, name: str | None) -> str:
    """Return what others' stays say of a stay off the pin.

    Parameters
    ----------
    name : whose visit it is; None for that person, who is told no number of others.
    """
    off = formats.distance(doubt.off_m)
    told = {"off": off, "people": doubt.people, "agreeing": doubt.agreeing, "name": name}
    if doubt.finding is PinFinding.WRONG_PIN:
        if name is None:
            return _(
                "The pin may be wrong: your stay was %(off)s from it, and others who were to visit "
                "this site stayed together beside it too. Somebody decides whether it moves.",
                **told,
            )
        return _(
            "The pin may be wrong: %(agreeing)s of %(people)s people whose stays here are known "
            "stayed together beside it; the stay of %(name)s was %(off)s from it. If the pin "
            "moves, these visits are judged again.",
            **told,
        )
    if name is None:
        return _(
            "Your stay was %(off)s from the pin, while others who were to visit this site stayed "
            "at it. If the customer was elsewhere that day, say so to whoever leads you.",
            **told,
        )
    return _(
        "The pin seems right: %(agreeing)s of %(people)s people whose stays here are known stayed "
        "at it, while the stay of %(name)s was %(off)s away. Ask before you conclude anything: "
        "the customer may have been elsewhere that day.",
        **told,
    )
