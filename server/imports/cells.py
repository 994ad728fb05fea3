"""From what stands in a cell to a value, or the reason why not; pure."""

import re
import unicodedata
from dataclasses import dataclass
from datetime import date, datetime, time
from math import isfinite
from typing import Final, TypeAlias


class BadCell(Exception):
    """A cell cannot be read; `code` says why, `params` hold words for the sentence."""

    def __init__(self, code: str, **params: str) -> None:
        super().__init__(code)
        self.code = code
        self.params = params


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A cell whose content no column may have: a formula, an error of a spreadsheet."""

    code: str
    text: str


Value: TypeAlias = str | int | float | date | datetime | time | Unreadable | None
"""What readers hand over; `bool` is an `int` to Python and arrives as such."""

MAX_TEXT: Final = 32_767
"""What a spreadsheet holds in one cell."""
_EXACT: Final = 10**15
"""Spreadsheets keep 15 digits; longer numbers have been rounded."""
_HUGE: Final = 1e300
_YEARS: Final = range(1900, 2201)
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_SCIENTIFIC: Final = re.compile(r"[+-]?\d(?:\.\d+)?[eE]\+\d+")
_DATE: Final = (
    re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})"),
    re.compile(r"(\d{4})/(\d{1,2})/(\d{1,2})"),
    re.compile(r"(\d{4})\.(\d{1,2})\.(\d{1,2})"),
    re.compile(r"(\d{4})年(\d{1,2})月(\d{1,2})[日号號]"),
    re.compile(r"(\d{4})(\d{2})(\d{2})"),
)
_MIDNIGHT: Final = re.compile(r"[T ]0{1,2}:00(?::00(?:\.0+)?)?$")
_PHONE: Final = re.compile(r"\+?\d{5,20}(?:[x#]\d{1,8})?")
_YES: Final = frozenset(
    {*("1", "yes", "y", "true", "active", "on"), *("是", "在用", "启用", "有效", "啟用", "正常")}
)
_NO: Final = frozenset(
    {
        *("0", "no", "n", "false", "inactive", "closed", "off"),
        *("否", "停用", "关闭", "无效", "關閉"),
    }
)


def text_of(value: Value, *, longest: int = MAX_TEXT) -> str | None:
    """Return a cell as text without space around it; None when nothing stands there.

    Raises
    ------
    BadCell : `formula`, `cell_error`, `control_character`, `too_long`, `id_rounded` for a
        number that a spreadsheet cannot have kept exactly.
    """
    if isinstance(value, Unreadable):
        raise BadCell(value.code, text=value.text[:40])
    if value is None:
        return None
    text = (value if isinstance(value, str) else _written(value)).strip()
    if not text:
        return None
    if _CONTROL.search(text):
        raise BadCell("control_character")
    if len(text) > longest:
        raise BadCell("too_long", longest=str(longest))
    return text


def line_of(value: Value, *, longest: int) -> str | None:
    """Return a cell as one line of text; breaks inside become spaces. Raises as `text_of`."""
    text = text_of(value, longest=longest)
    return None if text is None else re.sub(r"\s*[\r\n\t]+\s*", " ", text)


def code_of(value: Value, *, longest: int = 40) -> str | None:
    """Return a number people carry as their name: a staff or customer number.

    Raises as `text_of`. Whether it `looks_rounded` matters only where nobody has it.
    """
    return line_of(value, longest=longest)


def looks_rounded(text: str) -> bool:
    """Tell whether a number reads like ``1.0E+17``: what spreadsheets make of long ones."""
    return _SCIENTIFIC.fullmatch(text) is not None


def date_of(value: Value) -> date | None:
    """Return a local date: of a date cell, or of text with the year first.

    Raises
    ------
    BadCell : `bad_date`; also for `03/04/2026`, which means two days.
    """
    if isinstance(value, datetime):
        if value.time() != time():
            raise BadCell("date_with_time", text=str(value))
        value = value.date()
    if isinstance(value, date):
        return _in_use(value)
    text = text_of(value)
    if text is None:
        return None
    wanted = _MIDNIGHT.sub("", unicodedata.normalize("NFKC", text))
    for pattern in _DATE:
        if found := pattern.fullmatch(wanted):
            try:
                return _in_use(date(*map(int, found.groups())))
            except ValueError:
                break
    raise BadCell("bad_date", text=text[:40])


def number_of(value: Value) -> float | None:
    """Return a plain decimal number.

    Raises
    ------
    BadCell : `bad_number`.
    """
    if isinstance(value, bool):
        raise BadCell("bad_number", text=str(value))
    if isinstance(value, (int, float)):
        number = float(value) if abs(value) < _HUGE else float("inf")
    else:
        text = text_of(value)
        if text is None:
            return None
        folded = unicodedata.normalize("NFKC", text)
        if not re.fullmatch(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?", folded):
            raise BadCell("bad_number", text=text[:40])
        number = float(folded)
    if not isfinite(number):
        raise BadCell("bad_number", text=str(number))
    return number


def phone_of(value: Value) -> str | None:
    """Return a telephone number as digits, with `+` for a country and `x` for an extension.

    Raises
    ------
    BadCell : `bad_phone`, `id_rounded` when a spreadsheet has lost digits.
    """
    text = line_of(value, longest=60)
    if text is not None and looks_rounded(text):
        raise BadCell("id_rounded", text=text)
    return None if text is None else plain_phone(text)


def plain_phone(text: str) -> str:
    """Return a telephone number without spaces and punctuation.

    Raises
    ------
    BadCell : `bad_phone`.
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    for word in ("ext.", "ext", "转", "轉"):
        folded = folded.replace(word, "x")
    digits = re.sub(r"[\s\-‐-―().·]+", "", folded)
    if digits.startswith("00"):
        digits = f"+{digits[2:]}"
    if not _PHONE.fullmatch(digits):
        raise BadCell("bad_phone", text=text[:40])
    return digits


def yes_of(value: Value) -> bool | None:
    """Return what yes or no in words, 1 or 0 says.

    Raises
    ------
    BadCell : `bad_yes_no`.
    """
    if isinstance(value, bool):
        return value
    text = text_of(value)
    if text is None:
        return None
    word = unicodedata.normalize("NFKC", text).casefold()
    if word in _YES:
        return True
    if word in _NO:
        return False
    raise BadCell("bad_yes_no", text=text[:40])


def _written(value: float | date | time) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, (int, float)):
        if abs(value) >= _EXACT:
            raise BadCell("id_rounded", text=str(value)[:40])
        if not isfinite(value):
            raise BadCell("cell_error", text=str(value))
        return str(int(value)) if value == int(value) else repr(value)
    if isinstance(value, datetime):
        return value.isoformat(" ")
    return value.isoformat()


def _in_use(on: date) -> date:
    if on.year not in _YEARS:
        raise BadCell("bad_date", text=on.isoformat())
    return on
