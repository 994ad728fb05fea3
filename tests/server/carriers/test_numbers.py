"""Phone numbers as people write them."""

import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.carriers import numbers
from server.carriers.numbers import as_asked, normalised, same_phone


@pytest.mark.parametrize(
    "written",
    [
        *("13800138000", "138 0013 8000", "138-0013-8000", "+8613800138000", "+86 (138) 0013.8000"),
        *("008613800138000", "8613800138000", "１３８００１３８０００", "013800138000"),
    ],
)
def test_ways_to_write_one_number(written: str) -> None:
    assert normalised(written) == "8613800138000"


@pytest.mark.parametrize(
    "written",
    [
        *("", "12345", "010-65551234", "02161234567", "12800138000", "1380013800", "138001380000"),
        *("138x0138000", "13800138000 ext 5", "+", "00", "+8601065551234", "+0123456789"),
        "+1234567890123456",
    ],
)
def test_what_is_no_mobile_number(written: str) -> None:
    assert normalised(written) is None


@given(st.text(max_size=30), st.sampled_from(["86", "358", "1", "44"]))
def test_whatever_comes_out_is_e164(text: str, country_code: str) -> None:
    found = normalised(text, country_code=country_code)
    assert found is None or (found.isascii() and found.isdigit() and 7 <= len(found) <= 15)


def test_as_a_carrier_wants_it() -> None:
    assert as_asked("8613800138000", country_code="86", national=True) == "13800138000"
    assert as_asked("8613800138000", country_code="86", national=False) == "8613800138000"


def test_an_answer_is_about_the_number_asked_for() -> None:
    for answered in ("8613800138000", "+86 13800138000", "13800138000", "008613800138000"):
        assert same_phone(answered, "8613800138000"), answered
    for answered in ("8613800138001", "13900138000", "", "8000", "x"):
        assert not same_phone(answered, "8613800138000"), answered


def test_examples() -> None:
    assert doctest.testmod(numbers).failed == 0
