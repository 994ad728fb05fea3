"""Bringing a file with a browser: choose it, look at what it would do, write it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect
from sqlalchemy import text

from fixtures.stack import DatabaseUrls, Stack
from tests.browser.witness import Witness
from tests.factories.desk import Desk, desk, served
from tests.factories.paperwork import csv_file, workbook

pytestmark = pytest.mark.browser

AXE = (
    "axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa']})"
    ".then((r) => r.violations.map((v) => v.id + ' ' + v.nodes[0].target))"
)


@pytest.fixture(scope="module")
def office(stack: Stack, module_database: DatabaseUrls) -> Iterator[Desk]:
    with desk(stack, module_database) as made:
        yield made


@pytest.fixture(scope="module")
def address(office: Desk) -> Iterator[str]:
    with served(office) as url:
        yield url


@pytest.fixture
def hr(office: Desk, address: str, context: BrowserContext, witness: Witness) -> Page:
    witness.home = address
    context.add_cookies([{"name": "sid", "value": office.cookie("hr"), "url": address}])
    page = context.new_page()
    page.goto(f"{address}/imports")
    return page


def unit_of(office: Desk) -> str:
    with office.transaction() as session:
        found = session.scalar(
            text("SELECT name FROM units WHERE id = :id"), {"id": office.alpha.units["n1"]}
        )
    return str(found)


def bring(page: Page, folder: Path, name: str, content: bytes, *, kind: str) -> None:
    (folder / name).write_bytes(content)
    page.check(f"[name=kind][value={kind}]")
    page.set_input_files("[name=file]", folder / name)
    page.click("[data-upload] .btn--primary")


def accessible(page: Page, witness: Witness, axe_source: str) -> None:
    assert witness.errors == []
    page.evaluate(axe_source)
    assert page.evaluate(AXE) == []
    # axe paints with inline styles, which the pages' policy refuses: its, not theirs.
    witness.errors.clear()


def test_a_file_is_chosen_looked_at_and_written(
    office: Desk, hr: Page, tmp_path: Path, witness: Witness, axe_source: str
) -> None:
    lines = [(f"B{n:04d}", f"新员工{n}", unit_of(office), "2026-11-01") for n in range(300)]
    content = csv_file(("工号", "姓名", "部门", "入职日期"), *lines, encoding="gb18030")
    bring(hr, tmp_path, "花名册.csv", content, kind="employees")
    expect(hr.get_by_role("heading", name="花名册.csv")).to_be_visible()
    write = hr.locator("form[data-run] .btn--primary")
    expect(write).to_contain_text("300")
    expect(hr.locator("tbody tr").first).to_contain_text("新员工0")
    assert witness.errors == []
    write.click()
    expect(hr.locator(".state__title")).to_be_visible()
    with office.transaction() as session:
        written = session.scalar(text("SELECT count(*) FROM employees WHERE number LIKE 'B%'"))
    assert written == 300
    hr.goto(hr.url.rsplit("/", 1)[0])
    expect(hr.locator("main")).to_contain_text("花名册.csv")
    assert witness.errors == []
    accessible(hr, witness, axe_source)


def test_refused_rows_are_explained_and_nothing_can_be_written(
    office: Desk, hr: Page, tmp_path: Path, witness: Witness, axe_source: str
) -> None:
    content = workbook(
        ("Staff number", "Name", "Unit", "Hired on"),
        ("C1", "Ann", unit_of(office), "2026-11-01"),
        ("C2", "=1+1", "nowhere", "31/12/2025"),
    )
    bring(hr, tmp_path, "people.xlsx", content, kind="employees")
    expect(hr.locator(".imports__wrong")).to_have_count(3)
    expect(hr.locator("form[action$='/apply']")).to_have_count(0)
    hr.locator("nav.segmented a").last.click()
    expect(hr.locator("main tbody tr")).to_have_count(1)
    accessible(hr, witness, axe_source)
    hr.locator("form[action$='/discard'] button").click()
    expect(hr.locator("[data-upload]")).to_be_visible()
    assert witness.errors == []


def test_swapped_coordinates_are_asked_about(
    office: Desk, hr: Page, tmp_path: Path, witness: Witness, axe_source: str
) -> None:
    head = ("客户编号", "客户名称", "部门", "经度", "纬度")
    content = csv_file(head, ("K1", "早点铺", unit_of(office), "31.2304", "121.4737"))
    bring(hr, tmp_path, "sites.csv", content, kind="sites")
    question = hr.locator(".imports__question")
    expect(question).to_be_visible()
    accessible(hr, witness, axe_source)
    question.locator(".btn--primary").click()
    expect(hr.locator("form[data-run] .btn--primary")).to_be_visible()
    hr.locator("form[data-run] .btn--primary").click()
    expect(hr.locator(".state__title")).to_be_visible()
    hr.goto(hr.url.split("/imports")[0] + "/sites")
    expect(hr.locator("main tbody tr")).to_contain_text("121.47370, 31.23040")
    assert witness.errors == []
