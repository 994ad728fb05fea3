"""What measured a position, in words."""

from collections.abc import Mapping
from typing import Final

from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

SOURCES: Final[Mapping[str, LazyString]] = {
    "gps": _l("Satellites"),
    "wifi": _l("Wi-Fi"),
    "cell": _l("Radio cells"),
    "lbs": _l("The carrier or a service"),
    "unknown": _l("Not told"),
}
