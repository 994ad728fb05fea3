"""Words that alerts and signs have in common."""

from collections.abc import Mapping

from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

PROBLEMS: Mapping[str, LazyString] = {
    "reason_missing": _l("Write a reason; the person concerned will see it."),
    "reason_too_long": _l("A reason has 1,000 characters at most."),
    "bad_action": _l("Choose what you want to say."),
}
