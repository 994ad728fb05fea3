"""Files as programs and strangers write them: read whole, or refused with a reason."""

import io
import zipfile
from datetime import UTC, date, datetime

import pytest
from openpyxl import Workbook

from server.imports.cells import Unreadable
from server.imports.kinds import FileFormat, Kind
from server.imports.opening import open_file
from server.imports.table import MAX_BYTES, MAX_ROWS, FileRefused, Row, Table
from tests.factories.paperwork import by_hand, csv_file, row_xml, sheet_xml, workbook

HEAD = ("工号", "姓名", "部门")
PERSON = ("00123", "王芳", "一组")


def opened(content: bytes, kind: Kind = Kind.EMPLOYEES) -> tuple[Table, list[Row]]:
    table = open_file(content, kind)
    return table, list(table.rows)


def refusal(content: bytes, kind: Kind = Kind.EMPLOYEES) -> str:
    with pytest.raises(FileRefused) as caught:
        opened(content, kind)
    return caught.value.code


@pytest.mark.parametrize(
    ("encoding", "told"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8-sig"),
        ("gb18030", "gb18030"),
        ("gbk", "gb18030"),
        ("utf-16", "utf-16"),
        ("utf-16-le", "utf-16-le"),
        ("utf-16-be", "utf-16-be"),
    ],
)
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_encodings_and_separators_are_found_out(encoding: str, told: str, separator: str) -> None:
    table, rows = opened(csv_file(HEAD, PERSON, encoding=encoding, separator=separator))
    assert table.reading["encoding"] == told
    assert table.reading["separator"] == separator
    assert rows == [Row(2, {"number": "00123", "name": "王芳", "unit": "一组"})]


def test_big5_is_told_from_gb18030_by_the_header_or_by_people() -> None:
    content = csv_file(("工號", "姓名", "部門"), ("7", "陳大文", "業務"), encoding="big5")
    table, rows = opened(content)
    assert table.reading["encoding"] == "big5hkscs"
    assert rows[0].cells["name"] == "陳大文"
    assert list(open_file(content, Kind.EMPLOYEES, encoding="big5").rows) == rows


@pytest.mark.parametrize(
    "head",
    [
        ("Employee ID", "Full name", "Department"),
        ("员工编号*", "姓名（必填）", "所属部门"),
        (" staff_no ", "NAME", "Org unit"),
        ("員工編號", "員工姓名", "所屬部門"),
    ],
)
def test_headers_have_many_words(head: tuple[str, ...]) -> None:
    _table, rows = opened(csv_file(head, PERSON))
    assert set(rows[0].cells) == {"number", "name", "unit"}


def test_titles_above_the_header_and_blank_rows_are_passed_over() -> None:
    content = csv_file(("2026年花名册",), (), ("制表：王"), HEAD, (), PERSON, ("", " ", ""))
    table, rows = opened(content)
    assert table.reading["header_row"] == 4
    assert [row.no for row in rows] == [6]


def test_unused_columns_are_named() -> None:
    table, _rows = opened(csv_file((*HEAD, "工资"), (*PERSON, "9000")))
    assert table.reading["unused"] == ["工资"]


def test_quoted_breaks_keep_the_number_of_the_line_they_begin_on() -> None:
    _table, rows = opened(b'number,name,unit\n1,"a\nb",x\n2,c,x\n')
    assert [(row.no, row.cells["name"]) for row in rows] == [(2, "a\nb"), (4, "c")]


def test_guards_against_formulas_come_off_and_formulas_are_marked() -> None:
    content = b"number,name,unit\n'+86,'=x,=1+1\n''=,'plain,\t=2\n"
    _table, rows = opened(content)
    assert dict(rows[0].cells) == {
        "number": "+86",
        "name": "=x",
        "unit": Unreadable("formula", "=1+1"),
    }
    assert rows[1].cells["number"] == "'="
    assert rows[1].cells["name"] == "'plain"


def test_workbooks_keep_dates_numbers_and_texts() -> None:
    hired = datetime(2026, 1, 5, tzinfo=UTC).replace(tzinfo=None)
    content = workbook((*HEAD, "手机", "入职日期"), (123, "王芳", "一组", "0138", hired))
    table, rows = opened(content)
    assert table.format is FileFormat.XLSX
    assert rows == [
        Row(2, {"number": 123, "name": "王芳", "unit": "一组", "phone": "0138", "hired_on": hired})
    ]


def test_workbooks_of_1904_count_their_days_from_there() -> None:
    book = Workbook()
    book.epoch = datetime(1904, 1, 1, tzinfo=UTC).replace(tzinfo=None)
    sheet = book.active
    assert sheet is not None
    sheet.append([*HEAD, "入职日期"])
    sheet.append([*PERSON, date(2026, 1, 5)])
    buffer = io.BytesIO()
    book.save(buffer)
    book.close()
    _table, rows = opened(buffer.getvalue())
    hired = rows[0].cells["hired_on"]
    assert isinstance(hired, datetime)
    assert hired.date() == date(2026, 1, 5)


def test_the_visible_sheet_with_our_columns_is_read() -> None:
    book = Workbook()
    notes = book.active
    assert notes is not None
    notes.append(["read me"])
    hidden = book.create_sheet("hidden")
    hidden.sheet_state = "hidden"
    hidden.append([*HEAD, "手机"])
    people = book.create_sheet("people")
    people.append(HEAD)
    people.append(PERSON)
    buffer = io.BytesIO()
    book.save(buffer)
    book.close()
    table, rows = opened(buffer.getvalue())
    assert table.reading["sheet"] == "people"
    assert len(rows) == 1


def test_formulas_and_errors_of_workbooks_are_marked() -> None:
    _table, rows = opened(workbook(HEAD, ("=A1", "#REF!", "x")))
    assert rows[0].cells["number"] == Unreadable("formula", "=A1")
    assert rows[0].cells["name"] == Unreadable("cell_error", "#REF!")


def test_a_workbook_put_together_by_hand_is_read_though_it_lies_about_its_size() -> None:
    rows = row_xml(1, "number", "name", "unit") + row_xml(3, "1", "a_x000D_b", "x")
    sheet = sheet_xml(rows).replace("<sheetData>", '<dimension ref="A1:XFD1048576"/><sheetData>')
    _table, found = opened(by_hand(sheet))
    assert found == [Row(3, {"number": "1", "name": "a\rb", "unit": "x"})]


NAMED = row_xml(1, "number", "name", "unit")
GOOD = sheet_xml(NAMED + row_xml(2, "1", "a", "b"))
BOMB = '<!DOCTYPE x [<!ENTITY a "boom"><!ENTITY b "&a;&a;&a;">]>'


def bomb() -> bytes:
    """A sheet of 64 MiB of one cell after the other, 64 KiB as it arrives."""
    cells = "<c><v>1</v></c>" * 1_000
    return by_hand(sheet_xml("".join(f'<row r="{n}">{cells}</row>' for n in range(1, 4_500))))


def encrypted() -> bytes:
    content = bytearray(by_hand(GOOD))
    for at in range(len(content)):
        if content[at : at + 4] == b"PK\x03\x04":
            content[at + 6] |= 1
        elif content[at : at + 4] == b"PK\x01\x02":
            content[at + 8] |= 1
    return bytes(content)


def other_zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("readme.txt", "hello")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "file_empty"),
        (b" \r\n\r\n", "file_empty"),
        (b"\xef\xbb\xbf", "file_empty"),
        (b"x" * (MAX_BYTES + 1), "file_too_large"),
        (b"%PDF-1.7", "wrong_type"),
        (b"\x89PNG\r\n\x1a\n", "wrong_type"),
        (b"\x1f\x8b\x08 gz", "wrong_type"),
        (b"<!DOCTYPE html><html>", "wrong_type"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 old", "old_excel"),
        (b'{"type":"FeatureCollection","features":[]}', "format_not_for_kind"),
        (b"a,b,c\n1,2,3\n", "no_header"),
        (b"number,name\n1,a\n", "columns_missing"),
        (b"number,name,unit,name\n1,a,b,c\n", "column_twice"),
        (b"number,name,unit\n1,a\x00,b\n", "nul"),
        (b"number,name,unit\n" + b"x" * 1_100_000, "line_too_long"),
        (b'number,name,unit\n1,"' + b"a\n" * 200_000, "cell_too_long"),
        (b"number,name,unit\n1,\xff\xfe\xfd\x80,b\n", "undecodable"),
        (b"number,name,unit\n" + b"1,a,b\n" * (MAX_ROWS + 1), "too_many_rows"),
        (other_zip(), "not_xlsx"),
        (b"PK\x03\x04 broken", "not_xlsx"),
        (by_hand(GOOD)[:-60], "not_xlsx"),
        (by_hand(GOOD, **{"xl__vbaProject.bin": "x"}), "macros"),
        (encrypted(), "encrypted"),
        (by_hand(sheet_xml("<row><c><v>1</v>")), "not_xlsx"),
        (by_hand(sheet_xml("", before=BOMB)), "xml_entities"),
        (by_hand(GOOD, **{"xl__sharedStrings.xml": f"{BOMB}<sst/>"}), "no_error"),
        (by_hand(GOOD, **{f"x{n}.xml": "" for n in range(600)}), "zip_bomb"),
        (by_hand(sheet_xml(NAMED + row_xml(2_000_000, "1", "a", "b"))), "too_many_rows"),
        (workbook(("nothing", "of", "ours"), (1, 2, 3)), "no_header"),
        (workbook(), "file_empty"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_files_that_are_no_tables_are_refused_with_the_reason(content: bytes, code: str) -> None:
    if code == "no_error":
        # A part that nothing refers to is not read at all.
        assert len(opened(content)[1]) == 1
        return
    assert refusal(content) == code


def test_a_bomb_is_not_unpacked() -> None:
    content = bomb()
    assert len(content) < 1_000_000
    assert refusal(content) == "zip_bomb"


def test_a_sheet_that_unpacks_to_more_than_it_promises_stops_there() -> None:
    content = bytearray(by_hand(GOOD))
    at = content.rindex(b"xl/worksheets/sheet1.xml") - 46
    size = int.from_bytes(content[at + 24 : at + 28], "little")
    content[at + 24 : at + 28] = (size // 2).to_bytes(4, "little")
    assert refusal(bytes(content)) == "not_xlsx"


KML = """<?xml version="1.0"?><kml xmlns="http://www.opengis.net/kml/2.2"><Document>
<Placemark><name>一号岗</name><ExtendedData><Data name="部门"><value>一组</value></Data>
<Data name="半径"><value>120</value></Data></ExtendedData>
<Point><coordinates>121.5,31.2,0</coordinates></Point></Placemark>
<Placemark><name>场地</name><ExtendedData><SchemaData><SimpleData name="unit">一组</SimpleData>
</SchemaData></ExtendedData><Polygon><outerBoundaryIs><LinearRing><coordinates>
121.4,31.2,0 121.5,31.2,0 121.5,31.3,0 121.4,31.2,0</coordinates></LinearRing></outerBoundaryIs>
</Polygon></Placemark></Document></kml>"""


def test_kml_of_points_and_areas() -> None:
    table, rows = opened(KML.encode(), Kind.POSTS)
    assert table.format is FileFormat.KML
    assert rows[0].cells["name"] == "一号岗"
    assert rows[0].cells["radius_m"] == "120"
    assert rows[0].cells["geometry"] == '{"type": "Point", "coordinates": [121.5, 31.2]}'
    assert rows[1].cells["unit"] == "一组"
    assert '"Polygon"' in str(rows[1].cells["geometry"])


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (KML.replace("<kml", f"{BOMB}<kml", 1).encode(), "xml_entities"),
        (KML[:-20].encode(), "not_kml"),
        (KML.replace("121.5,31.2,0", "here").encode(), "not_kml"),
        (b"<a>" * 100_000, "not_kml"),
        (b"<kml></kml>", "no_features"),
        (b"[1, 2]", "not_geojson"),
        (b'{"type":"FeatureCollection","features":[{"type":"Point"}]}', "not_geojson"),
        (b'{"type":"FeatureCollection","features":[]}', "no_features"),
        (b'{"type":"Feature","properties":{"name":NaN},"geometry":null}', "not_geojson"),
        (b"[" * 200_000, "not_geojson"),
        (b'{"a":"' + b"x" * 9_000_000 + b'"}', "map_too_large"),
    ],
)
def test_maps_that_are_none_are_refused(content: bytes, code: str) -> None:
    assert refusal(content, Kind.POSTS) == code
