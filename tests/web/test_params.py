from datetime import date
from uuid import UUID

import pytest

from tests.factories.desk import Desk
from web.params import date_or_none, uuid_or_none

ID = "0193f0a2-7c1e-7abc-8def-0123456789ab"


def test_what_can_be_read_is_read() -> None:
    assert uuid_or_none(ID) == UUID(ID)
    assert date_or_none("2026-11-18") == date(2026, 11, 18)
    assert date_or_none("1998-03-01") == date(1998, 3, 1)


@pytest.mark.parametrize("text", [None, "", "x", ID[:-1], f"{ID}\x00"])
def test_other_texts_are_no_id(text: str | None) -> None:
    assert uuid_or_none(text) is None


@pytest.mark.parametrize(
    "text", [None, "", "x", "18-11-2026", "2026-02-30", "0001-01-01", "9999-12-31", "1899-12-31"]
)
def test_other_texts_are_no_date(text: str | None) -> None:
    assert date_or_none(text) is None


def test_pages_of_days_stand_dates_at_the_end_of_the_calendar(office: Desk) -> None:
    person = office.alpha.people["peer"]
    browser = office.browser("supervisor_north")
    for odd in ("0001-01-01", "9999-12-31"):
        for path in (f"/me?d={odd}", f"/tracks?p={person}&d={odd}", f"/alerts?from={odd}"):
            assert browser.get(path).status_code == 200, path


@pytest.mark.parametrize(
    "path", ["/people?q=a%00b", "/visits?q=%00", "/sites?q=%00", "/alerts?q=%00"]
)
def test_a_text_that_no_database_keeps_is_refused_in_words(office: Desk, path: str) -> None:
    answer = office.browser("supervisor_north").get(path)
    assert answer.status_code in {200, 400}
    assert "Something went wrong" not in answer.get_data(as_text=True)
