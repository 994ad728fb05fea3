"""Lists whose order, filter and page stand in the address, and their CSV."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import urlencode

from flask import Request, Response, has_request_context, request

from server.imports.kinds import FileFormat
from server.imports.writing import MEDIA_TYPES, workbook_of

PAGE_SIZE = 50
_MAX_PAGE = 10_000
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


@dataclass(frozen=True, slots=True)
class TableState:
    """What the address says about a list; every value is checked, unknown ones fall away.

    Parameters
    ----------
    path : address of the page without its query.
    sortable : keys of columns the server can sort by.
    sort : `key` ascending, `-key` descending, empty for the default of the page.
    q : free text, at most 80 characters.
    page : from 1.
    filters : the other parameters the page understands.
    """

    path: str
    sortable: frozenset[str] = frozenset()
    sort: str = ""
    q: str = ""
    page: int = 1
    filters: Mapping[str, str] = field(default_factory=dict)
    size: int = PAGE_SIZE

    @classmethod
    def from_request(
        cls,
        request: Request,
        *,
        sortable: Iterable[str] = (),
        filters: Iterable[str] = (),
        default_sort: str = "",
    ) -> "TableState":
        """Read the state of a list from a request."""
        allowed = frozenset(sortable)
        sort = request.args.get("sort", default_sort)
        if sort.removeprefix("-") not in allowed:
            sort = default_sort
        page = request.args.get("page", "1")
        return cls(
            path=request.path,
            sortable=allowed,
            sort=sort,
            q=request.args.get("q", "").strip()[:80],
            page=min(max(int(page), 1), _MAX_PAGE) if page.isdecimal() else 1,
            filters={k: v for k in filters if (v := request.args.get(k, "").strip()[:80])},
        )

    @property
    def sort_key(self) -> str:
        """Column of the order, empty when the page decides."""
        return self.sort.removeprefix("-")

    @property
    def descending(self) -> bool:
        """Whether the order goes down."""
        return self.sort.startswith("-")

    @property
    def offset(self) -> int:
        """Rows before this page."""
        return (self.page - 1) * self.size

    def direction_of(self, key: str) -> str | None:
        """Return the `aria-sort` value of a column, None when it does not order the list."""
        if key != self.sort_key:
            return None
        return "descending" if self.descending else "ascending"

    def next_sort(self, key: str) -> str:
        """Return what a click on a column head asks for."""
        return f"-{key}" if self.sort == key else key

    def url(self, **changes: object) -> str:
        """Return the address of this list with some parameters changed; None removes one."""
        current: dict[str, object] = {"q": self.q, "sort": self.sort, **self.filters}
        if self.page > 1:
            current["page"] = self.page
        current.update(changes)
        query = {key: value for key, value in current.items() if value not in (None, "")}
        return f"{self.path}?{urlencode(query)}" if query else self.path

    def first_row(self, count: int) -> int:
        """Return the number of the first row on this page, 0 when there is none."""
        return min(self.offset + 1, count)

    def last_row(self, count: int) -> int:
        """Return the number of the last row on this page."""
        return min(self.offset + self.size, count)


def csv_response(name: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> Response:
    """Return rows as a CSV download that Excel opens in Chinese too.

    Instants are told in ISO 8601. Cells that a spreadsheet would run as a formula get a leading
    apostrophe; numbers stay.
    With `file=xlsx` in the address the same rows come as a workbook.
    """
    if has_request_context() and request.args.get("file") == FileFormat.XLSX:
        book = workbook_of(header, rows, title=name)
        return _download(Response(book, mimetype=MEDIA_TYPES[FileFormat.XLSX]), f"{name}.xlsx")
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(header)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return _download(Response("\ufeff" + buffer.getvalue(), mimetype="text/csv"), f"{name}.csv")


def _download(response: Response, name: str) -> Response:
    response.headers.set("Content-Disposition", "attachment", filename=name)
    response.headers["Cache-Control"] = "no-store"
    return response


def _cell(value: object) -> object:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat()
    # Spreadsheets look past leading space.
    if isinstance(value, str) and value.lstrip(" \u00a0\u3000").startswith(_FORMULA):
        return f"'{value}"
    return value
