"""Degrees, minutes, seconds and local times of MLP."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.carriers.codec.angles import instant, latitude_deg, longitude_deg


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30 16 28.308N", 30 + 16 / 60 + 28.308 / 3600),
        ("27 28 25.00S", -(27 + 28 / 60 + 25 / 3600)),
        (" 27  28  25s ", -(27 + 28 / 60 + 25 / 3600)),
        ("301628.308N", 30 + 16 / 60 + 28.308 / 3600),
        ("301628.308", 30 + 16 / 60 + 28.308 / 3600),
        ("000028.3N", 28.3 / 3600),
        ("39.908123", 39.908123),
        ("-27.5", -27.5),
        ("27.5S", -27.5),
        ("90 00 00N", 90.0),
        ("027 28 25.00S", -(27 + 28 / 60 + 25 / 3600)),
    ],
)
def test_latitudes(text: str, expected: float) -> None:
    assert latitude_deg(text) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("099 12 15.019W", -(99 + 12 / 60 + 15.019 / 3600)),
        ("153 01 43.00E", 153 + 1 / 60 + 43 / 3600),
        ("1530143.00E", 153 + 1 / 60 + 43 / 3600),
        ("116.397", 116.397),
        ("180 00 00W", -180.0),
    ],
)
def test_longitudes(text: str, expected: float) -> None:
    assert longitude_deg(text) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    "text",
    [
        *("", "N", "NaN", "inf", "1e1", "30 16N", "30 16 28.3", "30 16 28.3E", "116 23 00.0E"),
        *("91 00 00N", "90 00 01N", "-30 16 28.3N", "30 60 00N", "30 16 60.0N", "30,5"),
        *("-30.5N", "91.0", "３０ 16 28N", "30 16 28.3NN", "0030 16 28N", "1234567890"),
    ],
)
def test_what_is_no_latitude_is_not_guessed(text: str) -> None:
    assert latitude_deg(text) is None


def test_a_longitude_has_its_own_letters_and_range() -> None:
    for text in ("30 16 28.3N", "181 00 00E", "180.1", "180 00 00.1E"):
        assert longitude_deg(text) is None


@given(st.floats(-90, 90), st.integers(0, 3))
def test_writing_and_reading_is_the_same(value: float, decimals: int) -> None:
    total = round(abs(value) * 3600, decimals)
    degrees, rest = divmod(total, 3600)
    minutes, seconds = divmod(rest, 60)
    if round(seconds, decimals) >= 60 or degrees * 3600 + minutes * 60 + seconds > 324_000:
        return
    text = (
        f"{int(degrees):02d} {int(minutes):02d} {seconds:.{decimals}f}{'S' if value < 0 else 'N'}"
    )
    back = latitude_deg(text)
    assert back is not None
    assert abs(abs(back) - total / 3600) < 10**-decimals / 3600


@pytest.mark.parametrize(
    ("local", "off", "expected"),
    [
        ("20140507082957", "+1000", datetime(2014, 5, 6, 22, 29, 57, tzinfo=UTC)),
        ("20150314133523", "-0700", datetime(2015, 3, 14, 20, 35, 23, tzinfo=UTC)),
        ("20261118120000", "0000", datetime(2026, 11, 18, 12, tzinfo=UTC)),
        ("20261118120000", None, datetime(2026, 11, 18, 12, tzinfo=UTC)),
        ("20261118120000", "0800", datetime(2026, 11, 18, 4, tzinfo=UTC)),
        ("20261118120000", "+05:30", datetime(2026, 11, 18, 6, 30, tzinfo=UTC)),
    ],
)
def test_local_times_become_utc(local: str, off: str | None, expected: datetime) -> None:
    assert instant(local, off) == expected


@pytest.mark.parametrize(
    ("local", "off"),
    [
        *(("2026111812000", None), ("20261318120000", None), ("20261118126000", None)),
        *(("20261118120000", "8"), ("20261118120000", "+1500"), ("20261118120000", "+0060")),
        *(("2026-11-18 12:00", None), ("", None), ("00010101000000", "+0800")),
    ],
)
def test_what_is_no_time_is_not_guessed(local: str, off: str | None) -> None:
    assert instant(local, off) is None


@given(
    st.datetimes(datetime(1990, 1, 1), datetime(2060, 1, 1)),  # noqa: DTZ001  # local on purpose
    st.integers(-14 * 60, 14 * 60),
)
def test_every_offset_is_taken_off(local: datetime, minutes: int) -> None:
    sign = "-" if minutes < 0 else "+"
    off = f"{sign}{abs(minutes) // 60:02d}{abs(minutes) % 60:02d}"
    expected = local.replace(microsecond=0, tzinfo=timezone(timedelta(minutes=minutes)))
    assert instant(local.strftime("%Y%m%d%H%M%S"), off) == expected
