"""Translation with types: Flask-Babel ships none."""

from flask_babel import gettext as _gettext
from flask_babel import ngettext as _ngettext


def _(message: str, **values: object) -> str:
    """Return a message in the reader's language with its `%(name)s` filled."""
    return str(_gettext(message, **values))


def ngettext(one: str, many: str, num: int, **values: object) -> str:
    """Return the form of a message that fits a number; `%(num)d` is the number."""
    return str(_ngettext(one, many, num, **values))
