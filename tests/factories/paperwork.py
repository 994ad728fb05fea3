"""Files as people bring them, and a desk that takes them."""

import csv
import io
import zipfile
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from openpyxl import Workbook, load_workbook
from sqlalchemy.orm import Session

from server.imports import queries
from server.imports.bearer import Bearer
from server.imports.exports import export_rows
from server.imports.kinds import FileFormat, Kind, State
from server.imports.planning import Options
from server.imports.queries import ImportView, RowView
from server.imports.services import apply_import, check_import, receive_file
from server.imports.writing import write_file
from tests.factories.company import ZONE, Company


@dataclass(slots=True)
class Desk:
    """Brings files to one company, as its command line does."""

    company: Company

    @property
    def bearer(self) -> Bearer:
        """Somebody who may touch everything of the company."""
        return Bearer(tenant_id=self.company.tenant_id, zone=ZONE)

    def transactions(self) -> AbstractContextManager[Session]:
        """Open a transaction inside the company's wall."""
        return self.company.transaction()

    def receive(
        self,
        kind: Kind,
        content: bytes,
        *,
        options: Options | None = None,
        by: Bearer | None = None,
    ) -> UUID:
        """Hand a file in."""
        with self.transactions() as session:
            return receive_file(
                session,
                self.company.clock,
                bearer=by or self.bearer,
                kind=kind,
                file_name="list.csv",
                content=content,
                options=options or Options(),
            )

    def check(
        self,
        kind: Kind,
        content: bytes,
        *,
        options: Options | None = None,
        by: Bearer | None = None,
    ) -> ImportView:
        """Hand a file in and look at its preview."""
        import_id = self.receive(kind, content, options=options, by=by)
        check_import(
            self.transactions, self.company.clock, bearer=by or self.bearer, import_id=import_id
        )
        return self.look(import_id, by=by)

    def apply(self, import_id: UUID, *, by: Bearer | None = None) -> dict[str, int]:
        """Do what a checked file says."""
        return apply_import(
            self.transactions, self.company.clock, bearer=by or self.bearer, import_id=import_id
        )

    def bring(
        self,
        kind: Kind,
        content: bytes,
        *,
        options: Options | None = None,
        by: Bearer | None = None,
    ) -> dict[str, int]:
        """Hand a file in, check it and apply it."""
        view = self.check(kind, content, options=options, by=by)
        problems = [row.problems for row in self.rows(view.id) if row.problems]
        assert view.state is State.CHECKED, view.reading
        assert problems == [], problems
        return self.apply(view.id, by=by)

    def look(self, import_id: UUID, *, by: Bearer | None = None) -> ImportView:
        """Return an import as it is now."""
        principal = by.principal if by else None
        with self.transactions() as session:
            return queries.get_import(
                session,
                tenant_id=self.company.tenant_id,
                import_id=import_id,
                account_id=principal.account_id if principal else None,
            )

    def rows(self, import_id: UUID) -> list[RowView]:
        """Return what the rows of an import would do."""
        with self.transactions() as session:
            return queries.import_rows(
                session, tenant_id=self.company.tenant_id, import_id=import_id, limit=10_000
            )

    def problems(self, kind: Kind, content: bytes, **options: object) -> list[tuple[int, str]]:
        """Return row and code of everything that is wrong with a file."""
        view = self.check(kind, content, options=Options.from_json(options))
        assert view.state is State.CHECKED, view.reading
        return [(r.row_no, str(p["code"])) for r in self.rows(view.id) for p in r.problems]

    def refusal(self, kind: Kind, content: bytes) -> str:
        """Return why a file was refused as a whole."""
        view = self.check(kind, content)
        assert view.state is State.REFUSED, view
        return str(view.reading["refusal"]["code"])

    def export(
        self,
        kind: Kind,
        written: FileFormat,
        *,
        locale: str = "zh",
        days: tuple[date, date] | None = None,
        by: Bearer | None = None,
    ) -> bytes:
        """Return everything of a kind as a file."""
        with self.transactions() as session:
            rows = export_rows(
                session,
                self.company.clock,
                bearer=by or self.bearer,
                kind=kind,
                locale=locale,
                days=days,
            )
            return write_file(kind, written, rows, locale=locale)


def csv_file(*lines: Sequence[object], encoding: str = "utf-8", separator: str = ",") -> bytes:
    """Return lines as somebody's spreadsheet writes them."""
    buffer = io.StringIO()
    csv.writer(buffer, delimiter=separator).writerows(lines)
    return buffer.getvalue().encode(encoding)


def workbook(*lines: Sequence[object], title: str = "Sheet1", **hidden: Sequence[object]) -> bytes:
    """Return lines as a workbook; keyword arguments are hidden sheets of one line."""
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = title
    for line in lines:
        sheet.append(list(line))
    for name, line in hidden.items():
        other = book.create_sheet(name)
        other.append(list(line))
        other.sheet_state = "hidden"
    buffer = io.BytesIO()
    book.save(buffer)
    book.close()
    return buffer.getvalue()


def cells_of(content: bytes) -> list[list[object]]:
    """Return the cells of a workbook's first sheet."""
    book = load_workbook(io.BytesIO(content))
    found: list[list[object]] = [[c.value for c in row] for row in book.worksheets[0].iter_rows()]
    book.close()
    return found


_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_RELS = "http://schemas.openxmlformats.org/package/2006/relationships"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_TYPES = "http://schemas.openxmlformats.org/package/2006/content-types"
_KINDS = "application/vnd.openxmlformats-officedocument.spreadsheetml"

PARTS: Mapping[str, str] = {
    "[Content_Types].xml": f'<Types xmlns="{_TYPES}">'
    '<Default Extension="rels" ContentType='
    '"application/vnd.openxmlformats-package.relationships+xml"/>'
    f'<Override PartName="/xl/workbook.xml" ContentType="{_KINDS}.sheet.main+xml"/>'
    f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{_KINDS}.worksheet+xml"/>'
    "</Types>",
    "_rels/.rels": f'<Relationships xmlns="{_RELS}"><Relationship Id="rId1" '
    f'Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
    "xl/workbook.xml": f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>'
    '<sheet name="S" sheetId="1" r:id="rId1"/></sheets></workbook>',
    "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_RELS}"><Relationship Id="rId1" '
    f'Type="{_OFFICE}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
}
"""The least a workbook consists of, without its sheet."""


def sheet_xml(rows: str, *, before: str = "") -> str:
    """Return a sheet from the XML of its rows."""
    return f'{before}<worksheet xmlns="{_MAIN}"><sheetData>{rows}</sheetData></worksheet>'


def row_xml(number: int, *texts: str) -> str:
    """Return a row of texts."""
    cells = "".join(
        f'<c r="{chr(ord("A") + at)}{number}" t="inlineStr"><is><t>{text}</t></is></c>'
        for at, text in enumerate(texts)
    )
    return f'<row r="{number}">{cells}</row>'


def by_hand(sheet: str, **others: str) -> bytes:
    """Return a workbook put together part by part; `others` by path, `__` for a slash."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in {**PARTS, "xl/worksheets/sheet1.xml": sheet}.items():
            archive.writestr(name, text)
        for name, text in others.items():
            archive.writestr(name.replace("__", "/"), text)
    return buffer.getvalue()
