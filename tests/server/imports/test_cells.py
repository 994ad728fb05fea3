"""Cells as people fill them: read, or refused with the reason."""

from collections.abc import Callable
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.imports.cells import (
    BadCell,
    Unreadable,
    Value,
    code_of,
    date_of,
    line_of,
    looks_rounded,
    number_of,
    phone_of,
    text_of,
    yes_of,
)
from server.imports.csv_files import _value, guarded
from server.imports.unit_paths import escaped, unescaped
from server.imports.workbooks import unescaped as from_workbook
from server.imports.writing import escaped as to_workbook


def code(parse: Callable[[Value], object], value: Value) -> str:
    with pytest.raises(BadCell) as caught:
        parse(value)
    return caught.value.code


@pytest.mark.parametrize(
    "written",
    [
        *("2026-11-18", "2026/11/18", "2026.11.18", "20261118", "2026年11月18日"),
        *("2026-11-18 00:00:00", "２０２６－１１－１８", " 2026-11-18 "),
        datetime(2026, 11, 18, tzinfo=UTC).replace(tzinfo=None),
        date(2026, 11, 18),
    ],
)
def test_dates(written: Value) -> None:
    assert date_of(written) == date(2026, 11, 18)


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("18/11/2026", "bad_date"),
        ("03-04-2026", "bad_date"),
        ("2026-02-30", "bad_date"),
        ("0001-01-01", "bad_date"),
        ("2026-11-18 08:30", "bad_date"),
        (datetime(2026, 11, 18, 8, tzinfo=UTC).replace(tzinfo=None), "date_with_time"),
        (46_000, "bad_date"),
        (Unreadable("formula", "=A1"), "formula"),
    ],
)
def test_dates_that_may_mean_another_day_are_refused(written: Value, why: str) -> None:
    assert code(date_of, written) == why


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ("138 0013 8000", "13800138000"),
        ("138-0013-8000", "13800138000"),
        ("+86 138 0013 8000", "+8613800138000"),
        ("0086-138-0013-8000", "+8613800138000"),
        ("（010）8888 9999", "01088889999"),
        ("010-88889999转12", "01088889999x12"),
        ("010-88889999 ext. 12", "01088889999x12"),
        ("１３８００１３８０００", "13800138000"),
        (13_800_138_000, "13800138000"),
        (13_800_138_000.0, "13800138000"),
    ],
)
def test_phones(written: Value, plain: str) -> None:
    assert phone_of(written) == plain


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("call me", "bad_phone"),
        ("12", "bad_phone"),
        ("1.38E+10", "id_rounded"),
        (1.0e17, "id_rounded"),
        (10**400, "id_rounded"),
        (float("nan"), "cell_error"),
    ],
)
def test_phones_that_cannot_be_dialled_are_refused(written: Value, why: str) -> None:
    assert code(phone_of, written) == why


def test_numbers_people_carry_keep_their_zeros_and_lose_nothing() -> None:
    assert code_of("00123") == "00123"
    assert code_of(123) == code_of(123.0) == "123"
    assert code(code_of, 1e15) == "id_rounded"
    assert code(code_of, "x" * 41) == "too_long"
    assert looks_rounded("1.0E+17")
    assert not looks_rounded("1E17B")


@pytest.mark.parametrize(
    ("written", "number"), [("1.5", 1.5), (" -0.25 ", -0.25), ("１２", 12), (3, 3), (".5", 0.5)]
)
def test_numbers(written: Value, number: float) -> None:
    assert number_of(written) == number


@pytest.mark.parametrize("written", ["1,5", "nan", "inf", "1e999", "0x10", "1_0", True, 10**400])
def test_what_is_no_number(written: Value) -> None:
    assert code(number_of, written) == "bad_number"


def test_yes_and_no_in_both_languages() -> None:
    assert [yes_of(word) for word in ("是", "Yes", 1, True, "在用")] == [True] * 5
    assert [yes_of(word) for word in ("否", "no", 0, False, "停用")] == [False] * 5
    assert yes_of(" ") is None
    assert code(yes_of, "maybe") == "bad_yes_no"


def test_texts_are_trimmed_and_hold_no_control_characters() -> None:
    assert line_of(" 人民路\n1号 ", longest=20) == "人民路 1号"
    assert text_of("   ") is None
    assert code(text_of, "a\x07b") == "control_character"
    assert code(text_of, "a\ud800b") == "control_character"


@given(st.text())
def test_guards_of_csv_come_off_as_they_went_on(text: str) -> None:
    kept = guarded(text)
    assert _value(kept) == text
    assert not kept.lstrip(" \u00a0\u3000").startswith(("=", "+", "-", "@", "\t", "\r", "\n"))


@given(st.text())
def test_what_xml_cannot_hold_is_escaped_and_put_back(text: str) -> None:
    assert from_workbook(to_workbook(text)) == text


@given(st.text())
def test_slashes_in_names_of_units_part_nothing(name: str) -> None:
    assert unescaped(escaped(name)) == name
