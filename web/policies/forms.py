"""What the forms of rules and trials say: text fields to values, each wrong field with its code."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from server.errors import InvalidInput
from server.posts.queries import PolicyKind
from server.posts.thresholds import Number, thresholds_of


def field_name(kind: PolicyKind, name: str) -> str:
    """Return the name of a threshold's field."""
    return f"{kind.value}.{name}"


def has_family(form: Mapping[str, str], kind: PolicyKind) -> bool:
    """Tell whether a form or an address says anything of a family."""
    return any(key.startswith(f"{kind.value}.") for key in form)


def values_of(
    form: Mapping[str, str], kind: PolicyKind, present: Mapping[str, Number]
) -> dict[str, Number]:
    """Return every threshold of a family: what a form says, else what is in force.

    A field left empty is the default.

    Raises
    ------
    InvalidInput : `bad_number` or `out_of_range`, with the names of thresholds in `fields`.
    """
    values: dict[str, Number] = {}
    wrong: dict[str, str] = {}
    for name, threshold in thresholds_of(kind).items():
        text = form.get(field_name(kind, name))
        if text is None:
            values[name] = present[name]
        elif not text.strip():
            values[name] = threshold.default
        else:
            number = _number(text)
            if number is None:
                wrong[name] = "bad_number"
            elif not threshold.allows(number):
                wrong[name] = "out_of_range"
            else:
                values[name] = int(number) if threshold.whole else number
    if wrong:
        raise InvalidInput(next(iter(wrong.values())), fields=wrong)
    return values


def typed(
    form: Mapping[str, str],
    kinds: Sequence[PolicyKind],
    present: Mapping[PolicyKind, Mapping[str, Number]],
) -> dict[str, str]:
    """Return what the fields show: what was typed, else what is in force."""
    return {
        field_name(kind, name): form.get(field_name(kind, name), f"{present[kind][name]:.15g}")
        for kind in kinds
        for name in thresholds_of(kind)
    }


def number_or_none(form: Mapping[str, str], name: str) -> float | None:
    """Return an optional number of a form.

    Raises
    ------
    InvalidInput : `bad_number`.
    """
    text = form.get(name, "").strip()
    if not text:
        return None
    number = _number(text)
    if number is None:
        raise InvalidInput("bad_number", fields={name: "bad_number"})
    return number


def instant_or_none(text: str, zone: str) -> datetime | None:
    """Return the instant of a wall-clock time in a zone, None for an empty field.

    Raises
    ------
    InvalidInput : `bad_time`.
    """
    if not text.strip():
        return None
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError:
        raise InvalidInput("bad_time", fields={"effective_from_at": "bad_time"}) from None
    return at if at.tzinfo is not None else at.replace(tzinfo=ZoneInfo(zone))


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
