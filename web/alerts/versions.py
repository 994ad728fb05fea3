"""Versions of an alert in words: what made each, and in what it differs from the one before."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

from server.findings.queries import Difference, Version
from web import formats
from web.cards import words
from web.cards.quantities import quantity
from web.cards.words import word
from web.texts import _

CHANGES: Mapping[str, LazyString] = {
    "raised": _l("Raised"),
    "revised": _l("Revised: other facts, another conclusion"),
    "closed": _l("Closed"),
    "reopened": _l("Open again"),
    "retracted": _l("Retracted"),
}
_STATES: Mapping[str, LazyString] = {
    "open": _l("Open"),
    "closed": _l("Closed"),
    "retracted": _l("Retracted"),
}
_NAMES: Mapping[str, LazyString] = {
    **words.FIGURES,
    **words.INPUTS,
    "state": _l("State"),
    "starts_at": _l("Start"),
    "ends_at": _l("End"),
    "fence_version": _l("Version of the fence"),
    "policy_version": _l("Policy"),
    "algorithm_version": _l("Algorithm"),
    "reasons": _l("Why"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionWords:
    """One version; `changes` are what, and how it reads before and after."""

    revision: int
    change: str
    at: datetime | None
    changes: list[tuple[str, str, str]]


def read_versions(versions: Iterable[Version], *, rule: str, zone: str) -> list[VersionWords]:
    """Put the versions of a finding into words, oldest first, in the reader's language."""
    return [
        VersionWords(
            revision=version.revision,
            change=word(CHANGES, version.change) if version.change else "",
            at=version.at,
            changes=[_change(one, rule, zone) for one in version.differences],
        )
        for version in versions
    ]


def _change(one: Difference, rule: str, zone: str) -> tuple[str, str, str]:
    before, after = (_reading(one.name, value, zone) for value in (one.before, one.after))
    return word(_NAMES, one.name, rule), before, after


def _reading(name: str, value: object, zone: str) -> str:
    if isinstance(value, datetime):
        return formats.clock_time(value, zone, seconds=True)
    if name == "ends_at":
        return _("still lasts")
    if name == "state":
        return word(_STATES, value)
    if isinstance(value, list):
        return " ".join(word(words.REASONS, code) for code in value) or "—"
    if name == "cause":
        return word(words.REASONS, value)
    return quantity("exact_s" if name.endswith("_s") else name, value)
