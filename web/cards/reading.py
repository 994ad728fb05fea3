"""An evidence document as a card: sentences and quantities, nothing of it left out."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, Final, NamedTuple

from flask_babel.speaklater import LazyString

from geo.verdict import canonical_json
from web import formats
from web.cards import sentences, words
from web.cards.quantities import quantity
from web.cards.words import word
from web.texts import _

_KNOWN: Final = frozenset(
    {
        *("rule", "algorithm_version", "policy_version", "thresholds", "inputs", "figures"),
        *("reasons", "would_change", "verdict"),
    }
)
_CODED: Final = {
    "cause": words.REASONS,
    "mode": words.MODES,
    "profile": words.PROFILES,
    "type": words.TYPES,
}
"""Members whose values are codes with words of their own."""
_UNSAID: Final = frozenset({"shape", "geometry", "start", "end"})
"""Members of an input that are shown as a map, and those that make a span."""
_DAY_OF_SOMEBODY: Final = re.compile(r"[0-9a-f-]{36}/(\d{4}-\d{2}-\d{2})")
"""Another person-day that was looked at: whose it is, is not for every reader of a card."""


class Pair(NamedTuple):
    """A label and its value in words."""

    label: str
    value: str


class Comparison(NamedTuple):
    """What was measured against a limit, and by how much it is above (+) or below it."""

    label: str
    actual: str
    limit: str
    margin: str


class Input(NamedTuple):
    """What was looked at: a short value, and a list behind it."""

    label: str
    value: str
    items: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """An evidence document in the reader's language.

    Attributes
    ----------
    sentence : what was concluded.
    digest : SHA-256 of the document's canonical bytes; the same on screen and paper.
    rest : members of the document that this version has no place for.
    """

    sentence: str
    rule: str
    version: str
    coverage: str | None
    compared: tuple[Comparison, ...]
    figures: tuple[Pair, ...]
    thresholds: tuple[Pair, ...]
    reasons: tuple[str, ...]
    inputs: tuple[Input, ...]
    otherwise: tuple[str, ...]
    rest: tuple[Pair, ...]
    digest: str


def read_card(document: Mapping[str, Any], *, zone: str, verdict: str | None = None) -> Card:
    """Put an evidence document into words.

    Parameters
    ----------
    document : plain JSON as a verdict stores it: `rule`, `algorithm_version`,
        `policy_version`, `thresholds`, `inputs`, `figures`, `reasons`, `would_change`. What is
        absent is left out; a code that has no words is shown as it is.
    zone : IANA zone in which instants are written.
    verdict : value of the verdict where the document itself has none.

    Returns
    -------
    Card, in the language of the request.
    """
    figures: Mapping[str, Any] = document.get("figures") or {}
    limits = dict(_leaves(document.get("thresholds") or {}))
    rule = str(document.get("rule", ""))
    told = verdict or document.get("verdict")
    compared = _compared(rule, figures, limits)
    codes = document.get("reasons") or ()
    reasons = tuple(word(words.REASONS, code) for code in codes)
    roads = sentences.about_roads(figures, codes)
    return Card(
        sentence=sentences.conclusion(rule, told, figures, limits)
        or " ".join(filter(None, (word(words.VERDICTS, told) if told else "", *reasons[:1]))),
        rule=word(words.RULES, rule),
        version=_(
            "algorithm %(algorithm)s, policy %(policy)s",
            algorithm=document.get("algorithm_version", "—"),
            policy=document.get("policy_version") or _("defaults"),
        ),
        coverage=quantity("coverage", figures["coverage"]) if "coverage" in figures else None,
        compared=compared,
        figures=tuple(_pairs(figures, words.FIGURES, zone, rule)),
        thresholds=tuple(
            Pair(word(words.THRESHOLDS, k), quantity(k, v)) for k, v in limits.items()
        ),
        reasons=(*reasons, roads) if roads else reasons,
        inputs=tuple(_inputs(document.get("inputs") or {}, zone)),
        otherwise=tuple(
            sentences.otherwise(item, zone) for item in document.get("would_change") or ()
        ),
        rest=tuple(_pairs({k: v for k, v in document.items() if k not in _KNOWN}, {}, zone)),
        digest=sha256(canonical_json(document, sort_keys=True)).hexdigest(),
    )


def _compared(
    rule: str, figures: Mapping[str, Any], limits: Mapping[str, Any]
) -> tuple[Comparison, ...]:
    rows = []
    for figure, threshold in words.COMPARED.get(rule, ()):
        actual, limit = figures.get(figure), limits.get(threshold, figures.get(threshold))
        if not isinstance(actual, int | float) or not isinstance(limit, int | float):
            continue
        unit = "exact_s" if figure.endswith("_s") else figure
        more = actual - limit
        margin = f"{'+' if more >= 0 else '−'}{quantity(unit, abs(more))}"
        label = word(words.FIGURES, figure, rule)
        rows.append(Comparison(label, quantity(unit, actual), quantity(unit, limit), margin))
    return tuple(rows)


def _leaves(group: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Thresholds of all groups by their own names."""
    for name, value in group.items():
        if isinstance(value, Mapping):
            yield from _leaves(value)
        else:
            yield name, value


def _pairs(
    group: Mapping[str, Any],
    labels: Mapping[str, LazyString],
    zone: str,
    rule: str = "",
    before: str = "",
) -> Iterator[Pair]:
    """Figures one a line; those inside another bear its name before theirs."""
    for name, value in group.items():
        label = f"{before}{word(labels, name, rule)}"
        if isinstance(value, Mapping):
            yield from _pairs(value, labels, zone, name, f"{label} · ")
        elif isinstance(value, list) and value and all(isinstance(v, Mapping) for v in value):
            for number, inner in enumerate(value, 1):
                yield from _pairs(inner, labels, zone, rule, f"{label} {number} · ")
        else:
            yield Pair(label, _shown(name, value, zone))


def _inputs(inputs: Mapping[str, Any], zone: str) -> Iterator[Input]:
    for name, value in inputs.items():
        label = word(words.INPUTS, name)
        if isinstance(value, list):
            items = tuple(_line(item, zone) for item in value)
            yield Input(label, str(len(value)), items)
        elif isinstance(value, Mapping):
            yield Input(label, _line(value, zone), ())
        elif value is not None:
            yield Input(label, _shown(name, value, zone), ())


def _line(value: object, zone: str) -> str:
    """One input on one line: its members in the order of the document."""
    if not isinstance(value, Mapping):
        return _shown("", value, zone)
    parts = [
        f"{word(words.MEMBERS, name)} {_shown(name, inner, zone)}"
        for name, inner in value.items()
        if name not in _UNSAID and inner not in (None, "")
    ]
    if {"start", "end"} <= set(value):
        parts.insert(0, " – ".join(_shown("", value[end], zone) for end in ("start", "end")))
    else:
        parts += [
            f"{name} {_shown('', value[name], zone)}" for name in ("start", "end") if name in value
        ]
    return ", ".join(parts)


def _shown(name: str, value: object, zone: str) -> str:
    """Return a value in words: instants in the zone, codes of causes, quantities with units."""
    if name in _CODED:
        return word(_CODED[name], value)
    if isinstance(value, str):
        if day := _DAY_OF_SOMEBODY.fullmatch(value):
            return day[1]
        at = _instant(value)
        return formats.instant(at, zone, seconds=True) if at else value
    if isinstance(value, list):
        return ", ".join(_shown("", item, zone) for item in value) or "—"
    return quantity(name, value)


def _instant(text: str) -> datetime | None:
    if not (text.endswith("Z") and "T" in text):
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None
