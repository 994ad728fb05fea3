"""Words of the pages of travel claims; those of evidence are in `web.cards.words`."""

from collections.abc import Mapping
from typing import Final

from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

from server.errors import OutpostError
from web.cards.words import MODES, VERDICTS
from web.texts import _

__all__ = ["KINDS", "MODES", "REFUSALS", "STATES", "TONES", "VERDICTS", "refusal"]

STATES: Mapping[str, LazyString] = {
    "draft": _l("Draft"),
    "submitted": _l("Waits for a decision"),
    "approved": _l("Approved"),
    "reduced": _l("Reduced"),
    "returned": _l("Returned"),
}

TONES: Final[Mapping[str, str]] = {
    "draft": "mute",
    "submitted": "warn",
    "approved": "ok",
    "reduced": "info",
    "returned": "leave",
    "supported": "ok",
    "over": "danger",
    "under": "info",
    "cannot_tell": "warn",
}

KINDS: Mapping[str, LazyString] = {
    "mileage": _l("Kilometres"),
    "night": _l("Night"),
    "per_diem": _l("Days away"),
    "transport": _l("Ride or flight"),
}

REFUSALS: Mapping[str, LazyString] = {
    "bad_amount": _l("An amount is a number like 120.50."),
    "bad_number": _l("Kilometres and the rate are numbers like 46.0."),
    "bad_place": _l("A place is a name, a longitude and a latitude, with commas between."),
    "bad_time": _l("Enter start and end; the end is after the start."),
    "too_many_lines": _l("A claim has 60 lines at most."),
    "too_many_days": _l("A claim covers 92 days at most."),
    "reference_too_long": _l("A reference has 60 characters at most."),
    "not_over_yet": _l("What is claimed is not over yet. Hand it in afterwards."),
    "explanation_missing": _l("Write what whoever decides should know."),
    "explanation_too_long": _l("An explanation has 1,000 characters at most."),
    "not_returned": _l("Only a claim that was returned is copied."),
    "already_decided": _l("The claim was decided meanwhile."),
    "reason_missing": _l("Write a reason; the person concerned will see it."),
    "reason_too_long": _l("A reason has 1,000 characters at most."),
    "own_claim": _l("Nobody decides their own claim."),
    "brought_claim": _l("Nobody decides a claim that they brought; somebody else does."),
    "claim_moved_on": _l(
        "The claim changed since you opened it: somebody decided it, it was explained, or late "
        "data came. Look again."
    ),
    "not_checked_yet": _l("The claim has not been checked yet. Try again in a moment."),
    "unknown_decision": _l("Choose what to decide."),
    "no_person": _l("There is nobody with this staff number."),
    "no_file": _l("Choose a CLAIM.json."),
    "not_json": _l("The file is not JSON."),
}


def refusal(error: OutpostError) -> str:
    """Return why something was not done, with the detail of a document that cannot be read."""
    if error.code == "unreadable":
        return _("The claim cannot be read: %(detail)s.", detail=error.detail)
    return str(REFUSALS.get(error.code, error.detail or error.code))
