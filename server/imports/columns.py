"""Columns of each kind of file, and the many words people write over them; pure."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from server.imports.kinds import Kind


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes
    ----------
    key : our word, also the header in English files.
    zh, en : header of templates and exports.
    words : what else people write over it, in any script; compared without case, space,
        punctuation and remarks in brackets.
    required : a file without the column is refused.
    """

    key: str
    zh: str
    en: str
    words: tuple[str, ...] = ()
    required: bool = False


_NUMBER: Final = Column(
    "number",
    "工号",
    "Staff number",
    (
        *("员工编号", "员工号", "职工号", "人员编号", "員工編號", "工號", "職工編號"),
        *("number", "employee number", "employee id", "employee no", "staff no", "staff id"),
        *("personnel number", "emp id", "emp no", "no", "编号", "編號"),
    ),
    required=True,
)
_UNIT: Final = Column(
    "unit",
    "所属单位",
    "Unit",
    (
        *("单位", "部门", "所属部门", "所在部门", "组织", "所属组织", "机构", "部門", "單位"),
        *("所屬部門", "所屬單位", "department", "dept", "team", "organisation", "organization"),
        *("org unit", "org", "branch"),
    ),
    required=True,
)
_ADDRESS: Final = Column(
    "address",
    "地址",
    "Address",
    ("详细地址", "客户地址", "位置", "詳細地址", "street address", "location"),
)
_LON: Final = Column(
    "lon", "经度", "Longitude", ("lon", "lng", "long", "經度", "x", "东经", "lon_deg")
)
_LAT: Final = Column("lat", "纬度", "Latitude", ("lat", "緯度", "y", "北纬", "lat_deg"))
_RADIUS: Final = Column(
    "radius_m",
    "半径（米）",
    "Radius (m)",
    ("半径", "半徑", "radius_m", "radius m", "radius in metres", "radius meters", "radius"),
)

COLUMNS: Final[Mapping[Kind, tuple[Column, ...]]] = {
    Kind.EMPLOYEES: (
        _NUMBER,
        Column(
            "name",
            "姓名",
            "Name",
            ("员工姓名", "名字", "員工姓名", "full name", "employee name", "employee"),
            required=True,
        ),
        _UNIT,
        Column(
            "title",
            "职务",
            "Title",
            ("职位", "岗位", "職務", "職位", "崗位", "job title", "position", "role"),
        ),
        Column(
            "phone",
            "手机号",
            "Phone",
            (
                *("手机", "手机号码", "电话", "联系电话", "联系方式", "移动电话", "手機"),
                *("手機號碼", "電話", "聯絡電話", "mobile", "mobile phone", "phone number", "tel"),
                *("telephone", "cell phone"),
            ),
        ),
        Column(
            "hired_on",
            "入职日期",
            "Hired on",
            (
                *("入职时间", "入职", "到职日期", "入職日期", "到職日期", "hired_on", "hire date"),
                *("date hired", "start date", "joined", "joined on"),
            ),
        ),
        Column(
            "left_on",
            "离职日期",
            "Left on",
            ("离职时间", "离职", "離職日期", "left_on", "leave date", "end date", "last day after"),
        ),
    ),
    Kind.UNITS: (
        Column(
            "name",
            "单位名称",
            "Unit",
            (
                *("名称", "部门名称", "部门", "单位", "组织名称", "名稱", "部門名稱", "單位名稱"),
                *("name", "unit name", "department", "department name"),
            ),
            required=True,
        ),
        Column(
            "parent",
            "上级单位",
            "Parent unit",
            (
                *("上级", "上级部门", "上级组织", "父部门", "上級單位", "上級部門", "parent"),
                *("parent department", "reports to", "belongs to"),
            ),
            required=True,
        ),
        Column(
            "kind",
            "类型",
            "Kind",
            ("级别", "单位类型", "层级", "類型", "級別", "type", "level", "unit kind"),
            required=True,
        ),
    ),
    Kind.POSTS: (
        Column(
            "name",
            "岗点名称",
            "Post",
            (
                *("名称", "岗点", "岗位", "岗位名称", "围栏名称", "网点名称", "名稱", "崗點名稱"),
                *("name", "post name", "place", "fence", "geofence"),
            ),
            required=True,
        ),
        _UNIT,
        _ADDRESS,
        Column("zone", "时区", "Time zone", ("時區", "zone", "timezone", "tz")),
        _LON,
        _LAT,
        _RADIUS,
        Column(
            "grace_min",
            "宽限（分钟）",
            "Grace (min)",
            ("宽限", "寬限", "grace_min", "grace minutes", "grace"),
        ),
        Column(
            "buffer_m",
            "缓冲（米）",
            "Buffer (m)",
            ("缓冲", "緩衝", "buffer_m", "buffer metres", "buffer"),
        ),
        Column(
            "geometry",
            "形状",
            "Geometry",
            ("几何", "多边形", "幾何", "多邊形", "geojson", "shape", "polygon"),
        ),
    ),
    Kind.SITES: (
        Column(
            "number",
            "客户编号",
            "Site number",
            (
                *("编号", "客户编码", "网点编号", "門店編號", "门店编号", "客戶編號", "編號"),
                *("number", "site no", "customer number", "customer no", "customer id", "code"),
                "customer code",
            ),
            required=True,
        ),
        Column(
            "name",
            "客户名称",
            "Site",
            (
                *("名称", "客户", "门店名称", "网点名称", "客戶名稱", "名稱", "門店名稱"),
                *("name", "site name", "customer", "customer name", "store"),
            ),
            required=True,
        ),
        _UNIT,
        _ADDRESS,
        _LON,
        _LAT,
        _RADIUS,
        Column("active", "在用", "Active", ("启用", "状态", "有效", "啟用", "狀態", "status")),
    ),
    Kind.ROSTER: (
        _NUMBER,
        Column("name", "姓名", "Name", ("员工姓名", "員工姓名", "employee", "employee name")),
        Column(
            "on_date",
            "日期",
            "Date",
            ("排班日期", "上班日期", "工作日期", "on_date", "work date", "shift date", "day"),
            required=True,
        ),
        Column(
            "shift",
            "班次",
            "Shift",
            ("班次名称", "班别", "班次代码", "班別", "班次名稱", "shift name", "shift code"),
            required=True,
        ),
        Column(
            "post",
            "岗点",
            "Post",
            ("岗位", "岗点名称", "网点", "崗點", "崗位", "post name", "place"),
        ),
        Column("post_unit", "岗点单位", "Unit of the post", ("岗点部门", "崗點單位", "post unit")),
    ),
}
"""What a file of each kind may hold, in the order of templates and exports."""

_REMARK: Final = re.compile(r"[(（\[【<].*?[)）\]】>]")
_NOISE: Final = re.compile(r"[\s_\-*:：.#'\"/]+")
_PART: Final = re.compile(r"(?<=\D)[2-9]$|(?<=\D)[1-9]\d$")


def plain(header: str) -> str:
    """Return a header as it is compared: folded, without remarks, spaces and punctuation."""
    folded = unicodedata.normalize("NFKC", header).casefold()
    short = _NOISE.sub("", _REMARK.sub("", folded))
    return short or _NOISE.sub("", folded)


def match_header(cells: Sequence[str], kind: Kind) -> dict[int, str]:
    """Return which cells of a possible header are columns of ours.

    A geometry too long for one cell goes on in columns called `geometry 2`, `geometry 3`….

    Returns
    -------
    Position → key, in order; a key may occur twice, which the caller refuses. Parts of a
    geometry carry their number: `geometry:2`.
    """
    known = _KNOWN[kind]
    found: dict[int, str] = {}
    for position, cell in enumerate(cells):
        word = plain(cell)
        if word in known:
            found[position] = known[word]
            continue
        part = _PART.search(word)
        if part and known.get(word[: part.start()]) == "geometry":
            found[position] = f"geometry:{part[0]}"
    return found


def header_of(kind: Kind, locale: str) -> list[str]:
    """Return the header of templates and exports, `zh` or `en`."""
    return [column.zh if locale == "zh" else column.en for column in COLUMNS[kind]]


def required_of(kind: Kind) -> tuple[str, ...]:
    """Return the keys a file cannot do without."""
    return tuple(column.key for column in COLUMNS[kind] if column.required)


_KNOWN: Final[Mapping[Kind, Mapping[str, str]]] = {
    kind: {
        plain(word): column.key
        for column in reversed(columns)
        for word in (column.key, column.zh, column.en, *column.words)
    }
    for kind, columns in COLUMNS.items()
}
