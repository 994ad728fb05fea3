"""What map datums are called."""

from collections.abc import Mapping
from typing import Final

from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

DATUMS: Final[Mapping[str, LazyString]] = {
    "wgs84": _l("WGS-84 (GPS)"),
    "gcj02": _l("GCJ-02 (AMap, Tencent)"),
    "bd09": _l("BD-09 (Baidu)"),
}
