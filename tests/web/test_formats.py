"""How spans, lengths and instants are written, in both languages."""

from datetime import UTC, date, datetime

import pytest
from flask import Flask
from flask_babel import Babel, force_locale

from web import formats
from web.paths import TRANSLATIONS

AT = datetime(2026, 11, 18, 6, 32, 7, tzinfo=UTC)


@pytest.fixture(scope="module")
def app() -> Flask:
    made = Flask("formats")
    Babel(made, default_translation_directories=str(TRANSLATIONS))
    return made


@pytest.mark.parametrize(
    ("seconds", "zh", "en"),
    [
        (42, "42 秒", "42 s"),
        (60, "1 分钟", "1 min"),
        (1139, "18 分钟", "18 min"),
        (3600, "1 小时 0 分", "1 h 0 min"),
        (11520, "3 小时 12 分", "3 h 12 min"),
    ],
)
def test_spans(app: Flask, seconds: float, zh: str, en: str) -> None:
    with app.test_request_context():
        with force_locale("zh"):
            assert formats.duration(seconds) == zh
        with force_locale("en"):
            assert formats.duration(seconds) == en


@pytest.mark.parametrize(
    ("metres", "zh", "en"),
    [(0, "0 米", "0 m"), (234.4, "234 米", "234 m"), (31_400, "31.4 公里", "31.4 km")],
)
def test_lengths(app: Flask, metres: float, zh: str, en: str) -> None:
    with app.test_request_context():
        with force_locale("zh"):
            assert formats.distance(metres) == zh
        with force_locale("en"):
            assert formats.distance(metres) == en


def test_instants_stand_in_the_zone_they_are_asked_for(app: Flask) -> None:
    with app.test_request_context(), force_locale("en"):
        assert formats.instant(AT, "Asia/Shanghai") == "2026-11-18 14:32"
        assert formats.clock_time(AT, "Asia/Shanghai", seconds=True) == "14:32:07"
        assert formats.clock_time(AT, "Europe/Helsinki") == "08:32"
        assert formats.gmt_offset(AT, "Asia/Shanghai") == "GMT+08:00"
        assert formats.day(date(2026, 11, 18)) == "2026-11-18 Wed"


@pytest.mark.parametrize(("name", "initial"), [("杨磊", "杨"), (" bo Peng", "B"), ("", "")])
def test_initials(name: str, initial: str) -> None:
    assert formats.initial(name) == initial
