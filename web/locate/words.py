"""Words of questions where somebody is: purposes, ways, outcomes, refusals."""

from collections.abc import Mapping

from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

from server.tracking.locate_queries import LocateView
from server.tracking.locate_rules import LocateState
from web.carriers.words import refusal
from web.texts import _

PURPOSES: Mapping[str, LazyString] = {
    "dispatch": _l("Send the nearest person"),
    "safety": _l("Worry about their safety"),
    "post_check": _l("Look into an alert or a gap"),
    "customer": _l("A customer asks when they come"),
    "other": _l("Something else (say what)"),
}

ANSWERED_BY: Mapping[str, LazyString] = {
    "phone": _l("the phone"),
    "carrier": _l("the carrier"),
    "cell": _l("radio cells"),
    "last_known": _l("the last known position"),
}

STEPS: Mapping[tuple[str, str], LazyString] = {
    ("phone", "waiting"): _l("The phone is being asked"),
    ("phone", "no_phone"): _l("No phone of this person takes questions"),
    ("phone", "answered"): _l("The phone answered"),
    ("phone", "no_answer"): _l("The phone did not answer in time"),
    ("carrier", "waiting"): _l("The carrier is being asked"),
    ("carrier", "no_answer"): _l("The carrier did not answer in time"),
    ("carrier", "not_set_up"): _l("No carrier is set up to be asked"),
    ("carrier", "answered"): _l("The carrier answered"),
    ("carrier", "refused"): _l("The carrier gave no position"),
    ("cell", "answered"): _l("Radio cells give a rough position"),
    ("last_known", "answered"): _l("The last known position of this shift"),
    ("last_known", "nothing"): _l("No position of this shift is known"),
}

REFUSALS: Mapping[str, LazyString] = {
    "off_duty": _l("Off duty: nobody can be asked where they are outside of duty."),
    "duty_ended": _l("The duty ended before an answer came. Nothing is shown."),
    "nothing_known": _l("No position of this shift is known."),
    "locate_quota": _l("Asked often enough. Wait a little before asking again."),
    "reason_missing": _l("Say in words why you ask."),
    "bad_purpose": _l("Choose why you ask."),
}


def step_words(what: str, outcome: str, detail: str) -> str:
    """Return one line about what was tried."""
    line = str(STEPS.get((what, outcome), what))
    return f"{line} · {refusal(detail)}" if detail else line


def state_words(view: LocateView) -> str:
    """Return how a question stands, in one sentence."""
    if view.state is LocateState.ASKED:
        return _("Asking the phone…")
    if view.state is LocateState.SENT:
        return _("The phone was asked. Waiting for its answer…")
    if view.state is LocateState.CARRIER:
        return _("The phone was silent. Asking the carrier…")
    if view.state is LocateState.ANSWERED and view.answered_by is not None:
        return _("Answered by %(by)s", by=ANSWERED_BY[view.answered_by])
    return str(REFUSALS.get(view.refusal or "", view.refusal or ""))
