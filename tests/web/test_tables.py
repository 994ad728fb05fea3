"""Lists in the address: only known values get through; CSV opens safely."""

import csv
import io
from datetime import UTC, datetime
from uuid import UUID

import pytest
from flask import Flask, Request
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import load_workbook
from werkzeug.test import EnvironBuilder

from web.tables import TableState, csv_response


def state(query: str) -> TableState:
    request = Request(EnvironBuilder(path="/people", query_string=query).get_environ())
    return TableState.from_request(
        request, sortable=("name", "unit"), filters=("status",), default_sort="name"
    )


def test_known_values_are_read() -> None:
    table = state("sort=-unit&q=%20wang%20&page=3&status=stale&other=1")
    assert (table.sort_key, table.descending, table.q, table.page) == ("unit", True, "wang", 3)
    assert table.filters == {"status": "stale"}
    assert table.offset == 100


@pytest.mark.parametrize("query", ["sort=password", "sort=--name", "page=-1", "page=x", "page=²"])
def test_unknown_values_fall_away(query: str) -> None:
    table = state(query)
    assert (table.sort, table.page) == ("name", 1)


def test_links_keep_everything_but_what_they_change() -> None:
    table = state("q=a%26b&status=stale&page=2")
    assert table.url(sort="-name", page=None) == "/people?q=a%26b&sort=-name&status=stale"
    assert table.url(q=None, status=None, sort=None, page=None) == "/people"


def test_a_second_click_turns_the_order_round() -> None:
    assert state("sort=unit").next_sort("unit") == "-unit"
    assert state("sort=-unit").next_sort("unit") == "unit"
    assert state("sort=unit").direction_of("unit") == "ascending"
    assert state("sort=unit").direction_of("name") is None


@given(st.integers(0, 400), st.integers(1, 12))
def test_row_numbers_of_pages_tile_the_list(count: int, pages: int) -> None:
    shown: list[int] = []
    for page in range(1, pages + 1):
        table = TableState(path="/x", page=page)
        first, last = table.first_row(count), table.last_row(count)
        if table.offset < count:
            shown += range(first, last + 1)
    assert shown == list(range(1, min(count, pages * 50) + 1))


@pytest.mark.parametrize(
    "cell", ["=1+1", "+cmd", "-2+3", "@SUM(A1)", "\t=1", "\r=1", " =1", "\u3000@a"]
)
def test_cells_that_look_like_formulas_are_text(cell: str) -> None:
    body = csv_response("people", ["name"], [[cell], [-3.5], [None]]).get_data(as_text=True)
    assert body.startswith("\ufeff"), "Excel reads UTF-8 by this mark"
    rows = list(csv.reader(io.StringIO(body.removeprefix("\ufeff"), newline="")))
    assert rows == [["name"], [f"'{cell}"], ["-3.5"], [""]]


def test_the_same_rows_come_as_a_workbook_with_texts_dates_and_instants() -> None:
    at = datetime(2026, 11, 18, 4, 0, tzinfo=UTC)
    row = ("=1+1", "+86", 7, 1.5, None, at.date(), at, UUID(int=1))
    with Flask("test").test_request_context("/list?format=csv&file=xlsx"):
        answer = csv_response("roster-2026:11", ("a", "b", "c", "d", "e", "f", "g", "h"), [row])
    assert ".xlsx" in answer.headers["Content-Disposition"]
    book = load_workbook(io.BytesIO(answer.get_data()))
    first, second = book.worksheets[0].iter_rows()
    book.close()
    assert first[0].value == "a"
    assert [cell.data_type for cell in second] == ["s", "s", "n", "n", "n", "d", "s", "s"]
    assert second[0].value == "=1+1"
    assert second[6].value == "2026-11-18 04:00:00+00:00"
