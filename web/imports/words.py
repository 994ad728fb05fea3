"""What is wrong with a file or a row, and what becomes of it, in words people can act on."""

from collections.abc import Mapping
from typing import Any

from flask_babel import get_locale
from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

from server.errors import OutpostError
from server.imports.columns import COLUMNS
from server.imports.kinds import Kind
from web.posts.reasons import REASONS as FENCE_REASONS
from web.texts import _

KINDS: Mapping[str, LazyString] = {
    "employees": _l("Employees"),
    "units": _l("Units"),
    "posts": _l("Posts"),
    "sites": _l("Sites"),
    "roster": _l("Roster"),
}

STATES: Mapping[str, LazyString] = {
    "received": _l("Not checked yet"),
    "checking": _l("Being checked"),
    "checked": _l("Waiting for a decision"),
    "refused": _l("Cannot be read"),
    "applying": _l("Being applied"),
    "applied": _l("Applied"),
    "discarded": _l("Thrown away"),
}
TONES: Mapping[str, str] = {
    "checked": "warn",
    "refused": "danger",
    "applied": "ok",
    "checking": "info",
    "applying": "info",
}

OUTCOMES: Mapping[str, LazyString] = {
    "add": _l("Added"),
    "change": _l("Changed"),
    "same": _l("Left alone"),
    "refuse": _l("Not possible"),
}
OUTCOME_TONES: Mapping[str, str] = {"add": "ok", "change": "info", "refuse": "danger"}

FILE_REASONS: Mapping[str, LazyString] = {
    "file_missing": _l("Choose a file first."),
    "kind_missing": _l("Choose what the file is about."),
    "file_empty": _l("There is nothing in this file."),
    "file_too_large": _l("A file has %(limit)s MB at most. Split it."),
    "map_too_large": _l("A map file has %(limit)s MB at most. Split it."),
    "wrong_type": _l("This is no table: bring CSV, XLSX, and for places GeoJSON or KML."),
    "old_excel": _l("This is an old or encrypted Excel file. Save it as .xlsx without a password."),
    "format_not_for_kind": _l("A file of the kind %(format)s cannot hold this. Bring CSV or XLSX."),
    "not_xlsx": _l("This workbook is damaged. Open it in a spreadsheet program and save it again."),
    "macros": _l("This workbook contains macros. Save it as .xlsx without them."),
    "encrypted": _l("This workbook is encrypted. Save it without a password."),
    "zip_bomb": _l("This workbook unpacks to far more than a table needs, so it is not opened."),
    "xml_entities": _l("This file defines entities, which no table needs, so it is not read."),
    "no_visible_sheet": _l("All sheets of this workbook are hidden."),
    "not_geojson": _l("This is not GeoJSON with features."),
    "not_kml": _l("This is not KML."),
    "no_features": _l("There are no places in this file."),
    "undecodable": _l("The characters cannot be made out. Choose the encoding, or save as UTF-8."),
    "nul": _l("Line %(line)s contains a character that no text has. Is this a table?"),
    "line_too_long": _l("Line %(line)s has more than a million characters. Is this a table?"),
    "cell_too_long": _l("Below line %(line)s a quotation mark is never closed."),
    "no_header": _l("No column is recognised. The first row has to name them, as in the template."),
    "columns_missing": _l("Columns are missing: %(columns)s."),
    "column_twice": _l("Columns occur twice: %(columns)s."),
    "too_many_rows": _l("A file of this kind has %(limit)s rows at most. Split it."),
}
"""Why a file is refused as a whole."""

ROW_REASONS: Mapping[str, LazyString] = {
    "missing": _l("Something has to stand here."),
    "formula": _l("A formula stands here. Paste its value instead."),
    "cell_error": _l("The spreadsheet shows an error here."),
    "duration": _l("A duration stands here, which no column holds."),
    "nested": _l("A list stands here, which no column holds."),
    "control_character": _l("There is an invisible control character in it."),
    "too_long": _l("Longer than %(longest)s characters."),
    "id_rounded": _l("“%(text)s” has been rounded by a spreadsheet. Format the column as text."),
    "bad_date": _l("“%(text)s” is no date such as 2026-11-18."),
    "date_with_time": _l("“%(text)s” has a time; a date is wanted."),
    "bad_number": _l("“%(text)s” is no number."),
    "bad_phone": _l("“%(text)s” is no telephone number."),
    "bad_yes_no": _l("“%(text)s” is neither yes nor no."),
    "bad_unit_kind": _l("“%(text)s” is neither group, branch, department nor team."),
    "bad_grace": _l("The grace is 0 to 1440 minutes."),
    "bad_buffer": _l("The buffer is 0 to 10,000 m."),
    "unknown_zone": _l("“%(text)s” is no time zone, such as Asia/Shanghai."),
    "twice_in_file": _l("The same stands in row %(row)s already."),
    "number_elsewhere": _l("This number belongs to something outside your units."),
    "unit_unknown": _l("There is no unit “%(text)s” among yours."),
    "unit_ambiguous": _l("“%(text)s” may be any of %(paths)s. Write the path."),
    "unit_kind_fixed": _l("The unit exists as another kind (%(text)s); files do not change it."),
    "unit_kind_order": _l("This kind of unit cannot be below that one (%(text)s)."),
    "parent_missing": _l("Name the unit above; only the top has none."),
    "left_before_hired": _l("The day of leaving is not after the day of hiring."),
    "hired_on_fixed": _l("Hired on %(text)s; files do not change that."),
    "left_on_fixed": _l("Leaves on %(text)s; a file can only make it earlier."),
    "left_on_too_early": _l("In this unit since %(text)s; leaving has to be later."),
    "has_left": _l("Has left on %(text)s; files change nothing about leavers."),
    "not_member_yet": _l("Begins later; the unit can be changed from that day on."),
    "not_member_now": _l("Belongs to no unit today and cannot be moved."),
    "person_unknown": _l("There is nobody with the number %(text)s among your people."),
    "not_employed": _l("Not employed on that day."),
    "shift_unknown": _l("There is no shift “%(text)s”. There are: %(offered)s."),
    "shift_retired": _l("This shift is not offered from %(text)s on."),
    "shift_skipped": _l("Clocks jump over this shift on that day."),
    "shift_begun": _l("In the way of %(text)s, which has begun. Change it in the roster."),
    "roster_overlap": _l("In the way of %(text)s. Cancel it, or let the file replace shifts."),
    "overlaps_row": _l("At the same time as the shift of row %(row)s."),
    "post_unknown": _l("There is no post “%(text)s” among yours."),
    "post_ambiguous": _l("There are posts “%(text)s” in %(units)s. Name the unit of the post."),
    "post_closed": _l("The post is closed since %(text)s."),
    "zone_fixed": _l("The post is in %(text)s; files do not change its time zone."),
    "shape_missing": _l("A post needs a position with a radius, or a shape."),
    "shape_not_point": _l("A site is a point; this is a %(text)s."),
    "position_incomplete": _l("A position needs longitude and latitude."),
    "swapped": _l("Longitude %(lon)s, latitude %(lat)s: these two look swapped."),
    "null_island": _l("0, 0 is in the sea. Leave both empty if nobody knows the position."),
    "number_missing": _l("Something has to stand here."),
    "number_too_long": _l("A number has 40 characters at most."),
    "name_missing": _l("Enter a name."),
    "name_too_long": _l("A name has 120 characters at most."),
    "address_too_long": _l("An address has 300 characters at most."),
}
"""Why a row is refused; those of fences are said as in the editor."""

ACT_REASONS: Mapping[str, LazyString] = {
    "rows_refused": _l("A file is applied as a whole or not at all. Mend the refused rows first."),
    "stale_preview": _l(
        "Something changed since the preview, so nothing was written. Look at the new preview."
    ),
    "import_running": _l("Another file is just being applied. Try again in a moment."),
    "import_busy": _l("Somebody is working on this file already."),
    "import_decided": _l("This file has been decided on already."),
    "too_long_for_workbook": _l("A text is longer than a cell can hold. Export as GeoJSON."),
}


def file_reason(refusal: Mapping[str, Any], kind: Kind) -> str:
    """Return the sentence about a file that cannot be read."""
    params = dict(refusal.get("params") or {})
    if "columns" in params:
        keys = str(params["columns"]).split()
        params["columns"] = "、".join(column_name(kind, key) for key in keys)
    return _filled(FILE_REASONS.get(str(refusal.get("code"))), params)


def row_reason(problem: Mapping[str, Any]) -> str:
    """Return the sentence about a row or a cell."""
    code = str(problem.get("code"))
    return _filled(ROW_REASONS.get(code) or FENCE_REASONS.get(code), problem.get("params") or {})


def act_reason(error: OutpostError, kind: Kind) -> str:
    """Return the sentence about something that was not done."""
    if error.code in FILE_REASONS:
        return file_reason({"code": error.code, "params": error.fields}, kind)
    return _filled(ACT_REASONS.get(error.code), error.fields)


def column_name(kind: Kind, key: str | None) -> str:
    """Return a column as people know it, in the language of the page."""
    for column in COLUMNS[kind]:
        if column.key == key:
            return column.zh if str(get_locale() or "zh").startswith("zh") else column.en
    return ""


def _filled(sentence: LazyString | None, params: Mapping[str, Any]) -> str:
    if sentence is None:
        return _("This cannot be saved.")
    text = str(sentence)
    try:
        return text % dict(params) if "%(" in text else text
    except KeyError:
        return text
