"""What a file is, by what is in it; its name counts for nothing."""

from typing import Final

from server.imports.csv_files import open_csv
from server.imports.encodings import ENCODINGS
from server.imports.kinds import FileFormat, Kind
from server.imports.maps import open_geojson, open_kml
from server.imports.table import MAX_BYTES, FileRefused, Table
from server.imports.workbooks import open_workbook

FORMATS: Final = {
    Kind.EMPLOYEES: (FileFormat.CSV, FileFormat.XLSX),
    Kind.UNITS: (FileFormat.CSV, FileFormat.XLSX),
    Kind.POSTS: (FileFormat.CSV, FileFormat.XLSX, FileFormat.GEOJSON, FileFormat.KML),
    Kind.SITES: (FileFormat.CSV, FileFormat.XLSX, FileFormat.GEOJSON, FileFormat.KML),
    Kind.ROSTER: (FileFormat.CSV, FileFormat.XLSX),
}
"""How files of each kind may be written, in and out."""

_ZIP: Final = b"PK\x03\x04"
_OLE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_FOREIGN: Final = (
    *(b"%PDF", b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"\x1f\x8b", b"7z\xbc\xaf", b"Rar!"),
    *(b"MZ", b"\x7fELF", b"SQLite format 3", b"{\\rtf", b"BM", b"II*\x00", b"MM\x00*"),
    *(b"PK\x05\x06", b"PK\x07\x08", b"\xfd7zXZ", b"BZh", b"OggS", b"ID3"),
)


def open_file(content: bytes, kind: Kind, *, encoding: str | None = None) -> Table:
    """Open a file as rows of a kind.

    Parameters
    ----------
    content : all of it, 20 MiB at most.
    kind : what it is said to be about.
    encoding : of text, when somebody chose one of `encodings.ENCODINGS`.

    Raises
    ------
    FileRefused : `file_empty`, `file_too_large`, `wrong_type`, `old_excel`,
        `format_not_for_kind`, and those of the formats; some only while rows are read.
    """
    if len(content) > MAX_BYTES:
        raise FileRefused("file_too_large", fields={"limit": str(MAX_BYTES // 1024 // 1024)})
    if not content.strip(b" \t\r\n\x00"):
        raise FileRefused("file_empty")
    written = format_of(content)
    if written not in FORMATS[kind]:
        raise FileRefused("format_not_for_kind", fields={"format": written.value})
    if written is FileFormat.XLSX:
        return open_workbook(content, kind)
    if written is FileFormat.GEOJSON:
        return open_geojson(content, kind)
    if written is FileFormat.KML:
        return open_kml(content, kind)
    return open_csv(content, kind, encoding=encoding if encoding in ENCODINGS else None)


def format_of(content: bytes) -> FileFormat:
    """Return how a file is written, judged by its first bytes.

    Raises
    ------
    FileRefused : `old_excel` for workbooks before 2007 and encrypted ones, `wrong_type`.
    """
    if content.startswith(_ZIP):
        return FileFormat.XLSX
    if content.startswith(_OLE):
        raise FileRefused("old_excel")
    if content.startswith(_FOREIGN):
        raise FileRefused("wrong_type")
    start = content[:512].removeprefix(b"\xef\xbb\xbf").lstrip()
    if start.startswith((b"{", b"[")):
        return FileFormat.GEOJSON
    if start.startswith(b"<"):
        if start[:15].lower().startswith((b"<!doctype html", b"<html")):
            raise FileRefused("wrong_type")
        return FileFormat.KML
    return FileFormat.CSV
