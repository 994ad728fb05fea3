"""One sentence a verdict, and what would have led to another."""

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Any, Final, TypeAlias

from web import formats
from web.cards import words
from web.cards.quantities import quantity
from web.texts import _

Values: TypeAlias = Mapping[str, Any]
_QUANTITIES: Final = ("limit", "actual")


def conclusion(rule: str, verdict: object, figures: Values, limits: Values) -> str:
    """Return what a rule concluded in one sentence; empty for a rule without words."""
    compose = _SENTENCES.get(rule)
    return compose(verdict, figures, limits) if compose else ""


def otherwise(item: Mapping[str, Any], zone: str) -> str:
    """Return what would have led to another conclusion, as a sentence."""
    kind = str(item.get("if"))
    if kind in words.OTHERWISE:
        sentence, unit = words.OTHERWISE[kind]
        return str(sentence) % {name: quantity(unit, item.get(name)) for name in _QUANTITIES}
    if kind == "excused":
        until = item.get("until")
        return _(
            "An approved leave, outing or break from %(start)s until %(end)s.",
            start=_clock(item.get("from"), zone),
            end=_clock(until, zone) if until else _("the return"),
        )
    if kind == "without_lines":
        others = ", ".join(str(line) for line in item.get("lines", ()))
        return _("Without the lines %(others)s of the claim.", others=others)
    if kind == "sign_below":
        figure = str(item.get("figure"))
        return _(
            "%(sign)s %(figure)s below %(limit)s; it was %(actual)s.",
            sign=words.word(words.REASONS, item.get("sign")),
            figure=words.word(words.FIGURES, figure),
            limit=quantity(figure, item.get("limit")),
            actual=quantity(figure, item.get("actual")),
        )
    facts = ", ".join(f"{name} {value}" for name, value in item.items() if name != "if")
    return f"{kind}: {facts}" if facts else kind


def about_roads(figures: Values, reasons: Collection[str]) -> str:
    """Return whether a way was measured with roads; empty where that is said or no matter."""
    if "matched_to_roads" not in figures or "roads_away" in reasons:
        return ""
    if figures["matched_to_roads"]:
        return _("Roads were known: ways are measured along them where the positions allow it.")
    return _("No roads were known: ways are measured by the positions alone.")


def _off_post(_verdict: object, figures: Values, limits: Values) -> str:
    return _(
        "Outside the fence for %(time)s, up to %(far)s from its edge; %(limit)s are allowed.",
        time=quantity("_s", figures.get("duration_s")),
        far=quantity("_m", figures.get("max_distance_m")),
        limit=quantity("_s", limits.get("min_outside_s")),
    )


def _gap(_verdict: object, figures: Values, limits: Values) -> str:
    return _(
        "No position for %(time)s; a silence of more than %(limit)s is a gap. It proves nothing.",
        time=quantity("_s", figures.get("duration_s")),
        limit=quantity("_s", limits.get("max_gap_s")),
    )


def _visit(verdict: object, figures: Values, _limits: Values) -> str:
    return _(
        "%(verdict)s: stayed %(time)s, %(need)s are needed; the nearest fix is %(near)s away.",
        verdict=words.word(words.VERDICTS, verdict or "—"),
        time=quantity("_s", figures.get("dwell_s")),
        need=quantity("_s", figures.get("need_s")),
        near=quantity("_m", figures.get("nearest_m")),
    )


def _claim(verdict: object, figures: Values, _limits: Values) -> str:
    told = words.word(words.VERDICTS, verdict or "—")
    if "high_m" not in figures or "margin_m" not in figures:
        return ""
    return _(
        "%(verdict)s: %(claimed)s claimed, between %(low)s and %(high)s were feasible.",
        verdict=told,
        claimed=quantity("_m", figures["high_m"] - figures["margin_m"]),
        low=quantity("_m", figures.get("low_m")),
        high=quantity("_m", figures["high_m"]),
    )


def _forgery(_verdict: object, _figures: Values, _limits: Values) -> str:
    return _("Positions look as if they were not measured where they say; a person has to look.")


_SENTENCES: Final[Mapping[str, Callable[[object, Values, Values], str]]] = {
    "off_post": _off_post,
    "gap": _gap,
    "visit": _visit,
    "claim": _claim,
    "forgery": _forgery,
}


def _clock(text: object, zone: str) -> str:
    return formats.clock_time(datetime.fromisoformat(str(text)), zone)
