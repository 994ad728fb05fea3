"""Words of rules and of trials: refusals, states, kinds of flips, and what differs."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

from server.errors import OutpostError
from server.posts.queries import PolicyKind, PolicyVersion
from server.posts.thresholds import thresholds_of
from server.tracking.what_if_rules import Trial
from web import formats
from web.policies.thresholds import FAMILIES, amount, label
from web.posts.reasons import REASONS as POST_REASONS
from web.texts import _

REASONS: Final[Mapping[str, LazyString]] = {
    "bad_number": _l("Enter a number."),
    "bad_time": _l("Enter a date and a time."),
    "out_of_range": _l("This value is outside of what may be set."),
    "bad_threshold": _l("These values do not go together: no signal is later than old."),
    "policy_in_the_past": _l("A rule cannot begin in the past."),
    "in_the_past": _l("A rule cannot begin in the past."),
    "policy_changed": _l("Somebody saved a newer version. Look at it first."),
    "note_too_long": _l("A reason has 500 characters at most."),
    "nothing_changed": _l("Nothing differs from what is in force. Change a value first."),
    "nothing_to_replay": _l("Nobody you lead had a shift at a post in this span."),
    "too_many_days": _l("That is more than 50,000 person-days. Choose a unit or fewer days."),
    "what_if_running": _l("You have a trial under way. Wait for it or stop it first."),
    "what_if_over": _l("This trial has ended already."),
    "what_if_not_done": _l("Only a finished trial can be saved."),
    "no_circle": _l("Only a circle has a radius. Its outline can be changed in the editor."),
    "no_shape": _l("This post has no fence yet."),
}

STATES: Final[Mapping[str, LazyString]] = {
    "waiting": _l("Waiting for its turn"),
    "running": _l("Being worked out"),
    "done": _l("Finished"),
    "cancelled": _l("Stopped"),
    "failed": _l("Could not be worked out"),
}
TONES: Final[Mapping[str, str]] = {"done": "ok", "failed": "danger", "running": "info"}

FLIPS: Final[Mapping[str, LazyString]] = {
    "appeared": _l("Appeared"),
    "disappeared": _l("Gone"),
    "longer": _l("Longer"),
    "shorter": _l("Shorter"),
}
FLIP_TONES: Final[Mapping[str, str]] = {
    "appeared": "danger",
    "disappeared": "ok",
    "longer": "warn",
    "shorter": "info",
}

_POST_TERMS: Final[Mapping[str, LazyString]] = {
    "radius_m": _l("Radius"),
    "grace_s": _l("Grace before an alert"),
    "buffer_m": _l("Buffer around the edge"),
}


def reason(error: OutpostError | str) -> str:
    """Return the sentence for a refusal or its code."""
    code = error if isinstance(error, str) else error.code
    found = REASONS.get(code) or POST_REASONS.get(code)
    return str(found) if found is not None else _("This cannot be saved.")


def family(kind: PolicyKind | str) -> str:
    """Return the name of a family."""
    return str(FAMILIES[str(kind)][0])


def differences(
    kind: PolicyKind, before: Mapping[str, Any], after: Mapping[str, Any]
) -> list[tuple[str, str, str]]:
    """Return what differs between two versions of a family: meaning, before, after.

    Both name only what differs from the defaults.
    """
    known = thresholds_of(kind)
    found = []
    for name, threshold in known.items():
        old, new = (side.get(name, threshold.default) for side in (before, after))
        if old != new:
            found.append((label(kind.value, name), amount(threshold, old), amount(threshold, new)))
    return found


def trial_differences(trial: Trial) -> list[tuple[str, str, str]]:
    """Return what a trial changes: meaning, before, after."""
    if trial.post is not None:
        return [
            (str(_POST_TERMS[name]), _post_term(name, before), _post_term(name, after))
            for _group, name, before, after in trial.changes()
        ]
    return [
        line for each in trial.families for line in differences(each.kind, each.before, each.params)
    ]


def trial_name(trial: Trial) -> str:
    """Return what a trial is about."""
    if trial.post is not None:
        return _("Post %(name)s", name=trial.post.name)
    changed = [each for each in trial.families if dict(each.params) != dict(each.before)]
    return " · ".join(family(each.kind) for each in changed)


def trial_line(trial: Trial) -> str:
    """Return what a trial changes on one line; the subject of a look reads it."""
    return "; ".join(f"{what}: {old} → {new}" for what, old, new in trial_differences(trial))


def history(
    versions: Sequence[PolicyVersion],
) -> list[tuple[PolicyVersion, list[tuple[str, str, str]]]]:
    """Return versions of one family, newest first, each with what it changed."""
    older = [*versions[1:], None][: len(versions)]
    return [
        (version, differences(version.kind, before.params if before else {}, version.params))
        for version, before in zip(versions, older, strict=True)
    ]


def tried(trial: Mapping[str, Any]) -> str:
    """Return what a trial had shown before a version was saved."""
    span = _("tried on %(first)s to %(last)s", first=trial["first_on"], last=trial["last_on"])
    if "days" not in trial:
        return span
    parts = [f"{FLIPS[kind]} {trial[kind]}" for kind in FLIPS if trial.get(kind)]
    days = _("%(days)d person-days", days=trial["days"])
    return ", ".join([span, days, *(parts or [_("no verdict flips")])])


def _post_term(name: str, value: float | None) -> str:
    if value is None:
        return _("by policy")
    return formats.exact_duration(value) if name == "grace_s" else formats.distance(value)
