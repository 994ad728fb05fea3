"""Pages of imports, driven without a script, as the keyboard and the tests see them."""

import re
from pathlib import Path

import pytest
from sqlalchemy import text
from werkzeug.test import TestResponse

from geo.geofence import REFUSALS as FENCES
from server.imports.table import MAX_BYTES
from tests.factories.desk import Browser, Desk
from tests.factories.paperwork import csv_file, workbook
from web.imports import words
from web.posts.reasons import REASONS as FENCE_REASONS

HEAD = ("Staff number", "Name", "Unit", "Hired on")


@pytest.fixture
def hr(office: Desk) -> Browser:
    return office.browser("hr")


def send(browser: Browser, content: bytes, *, kind: str = "employees") -> TestResponse:
    """Send a file as a browser does; the body is built here because werkzeug leaks large ones."""
    edge = "----edge-of-the-parts"
    head = f'--{edge}\r\nContent-Disposition: form-data; name="kind"\r\n\r\n{kind}\r\n--{edge}\r\n'
    file = 'Content-Disposition: form-data; name="file"; filename="people list.csv"\r\n\r\n'
    body = head.encode() + file.encode() + content + f"\r\n--{edge}--\r\n".encode()
    return browser.client.post(
        "/imports",
        base_url="http://127.0.0.1",
        data=body,
        content_type=f"multipart/form-data; boundary={edge}",
        headers={"X-CSRFToken": browser.token()},
    )


def upload(browser: Browser, content: bytes, *, kind: str = "employees") -> str:
    """Send a file, let it be checked, return the address of its page."""
    answer = send(browser, content, kind=kind)
    assert answer.status_code == 303, answer.text
    address = str(answer.headers["Location"])
    assert browser.post(f"{address}/check").status_code == 303
    return address


def unit_of(office: Desk, name: str) -> str:
    with office.transaction() as session:
        found = session.scalar(
            text("SELECT name FROM units WHERE id = :id"), {"id": office.alpha.units[name]}
        )
    return str(found)


def test_a_file_is_previewed_then_written(office: Desk, hr: Browser) -> None:
    unit = unit_of(office, "n1")
    lines = [(f"W{n:03d}", f"新人{n}", unit, "2026-11-01") for n in range(60)]
    address = upload(hr, csv_file(HEAD, *lines, encoding="gb18030"))
    page = hr.get(address).text
    assert "GB18030" in page
    assert "新人0" in page
    assert "Write 60 rows" in page
    assert "新人59" in hr.get(f"{address}?page=2").text
    with office.transaction() as session:
        assert not session.scalar(text("SELECT count(*) FROM employees WHERE number LIKE 'W%'"))
    assert "60 rows were written" in hr.post(f"{address}/apply", follow_redirects=True).text
    with office.transaction() as session:
        assert session.scalar(text("SELECT count(*) FROM employees WHERE number LIKE 'W%'")) == 60
    history = hr.get("/imports").text
    assert "people list.csv" in history
    assert "Applied" in history


def test_refused_rows_say_why_in_both_languages_and_block(hr: Browser) -> None:
    content = workbook(HEAD, ("X1", "=1+1", "nowhere", "31/12/2025"))
    address = upload(hr, content)
    page = hr.get(address).text
    assert "A formula stands here" in page
    assert "“nowhere”" in page
    assert "Write" not in re.sub(r"(?s)<script.*?</script>", "", page).split("kpis")[0]
    assert "as a whole" in hr.post(f"{address}/apply", follow_redirects=True).text
    problems = hr.get(f"{address}/problems.csv").get_data().decode("utf-8-sig")
    assert len(problems.splitlines()) == 4
    hr.post("/preferences", data={"locale": "zh"})
    page = hr.get(address).text
    assert "这里是公式" in page
    assert "入职日期" in page
    hr.post("/preferences", data={"locale": "en"})


def test_a_file_that_is_no_table_is_refused_in_words(hr: Browser) -> None:
    address = upload(hr, b"%PDF-1.7 not a table")
    assert "This is no table" in hr.get(address).text
    assert "Throw away" in hr.get(address).text
    assert hr.post(f"{address}/discard").status_code == 303
    assert "This file was thrown away" in hr.get(address).text


def test_large_files_come_in_and_larger_ones_do_not(hr: Browser) -> None:
    padding = b"number,name,unit\n" + b"#" * (3 * 1024 * 1024)
    assert "more than a million characters" in hr.get(upload(hr, padding)).text
    answer = send(hr, b"x" * (MAX_BYTES + 1))
    assert "20 MB at most" in hr.get(answer.headers["Location"]).text
    assert send(hr, b"x" * (MAX_BYTES + 200_000)).status_code == 413


def test_swapped_coordinates_are_a_question(office: Desk) -> None:
    lead = office.browser("manager_n1")
    unit = unit_of(office, "n1")
    content = csv_file(
        ("客户编号", "客户名称", "部门", "经度", "纬度"),
        ("C1", "早点铺", unit, "31.2304", "121.4737"),
    )
    address = upload(lead, content, kind="sites")
    assert "Are longitude and latitude swapped?" in lead.get(address).text
    assert lead.post(f"{address}/options", data={"axes": "swap"}).status_code == 303
    lead.post(f"{address}/check")
    assert "Write 1 row" in lead.get(address).text
    lead.post(f"{address}/apply")
    listed = lead.get("/sites").text
    assert "早点铺" in listed
    assert "121.47370, 31.23040" in listed


def test_nobody_brings_what_they_may_not_change(office: Desk) -> None:
    lead = office.browser("manager_n1")
    assert send(lead, b"number,name,unit\n").status_code == 403
    assert lead.get("/imports/export/employees.csv").status_code == 403
    foreign = csv_file(("客户编号", "客户名称", "部门"), ("C9", "别处", unit_of(office, "s1")))
    page = lead.get(upload(lead, foreign, kind="sites")).text
    assert "There is no unit" in page


def test_exports_and_templates_come_as_files(hr: Browser) -> None:
    for kind, formats in {
        "employees": ("csv", "xlsx"),
        "posts": ("csv", "xlsx", "geojson", "kml"),
        "roster": ("csv", "xlsx"),
    }.items():
        for written in formats:
            answer = hr.get(f"/imports/export/{kind}.{written}")
            assert answer.status_code == 200
            assert f"filename={kind}-" in answer.headers["Content-Disposition"]
    assert hr.get("/imports/export/employees.kml").status_code == 404
    assert hr.get("/imports/templates/employees.xlsx").data.startswith(b"PK")
    address = upload(hr, hr.get("/imports/export/employees.csv").data)
    assert "Everything in this file is so already" in hr.get(address).text


_SOURCES = Path(__file__).resolve().parents[2] / "server" / "imports"
_OF_ROWS = r'(?:BadCell|Unreadable)\("(\w+)"|re(?:fuse|serve)\(\s*[\w".]+,\s*"(\w+)"'


def test_every_reason_has_its_sentence() -> None:
    text = "\n".join(path.read_text(encoding="utf-8") for path in _SOURCES.glob("*.py"))
    rows = {found[1] or found[2] for found in re.finditer(_OF_ROWS, text)}
    files = set(re.findall(r'FileRefused\(\s*"(\w+)"', text))
    acts = set(re.findall(r'Conflict\(\s*"(\w+)"', text))
    assert len(rows) > 40
    assert len(files) > 20
    assert rows - set(words.ROW_REASONS) - set(FENCE_REASONS) == set()
    assert files - set(words.FILE_REASONS) == set()
    assert acts - set(words.ACT_REASONS) == set()
    assert FENCES - set(FENCE_REASONS) == set()
