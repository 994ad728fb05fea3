"""Words for kinds of units, roles and refusals."""

from collections.abc import Mapping

from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

from server.errors import OutpostError
from web.texts import _

KINDS: Mapping[str, LazyString] = {
    "group": _l("Group"),
    "branch": _l("Branch"),
    "department": _l("Department"),
    "team": _l("Team"),
}

ROLES: Mapping[str, LazyString] = {
    "supervisor": _l("Supervisor"),
    "manager": _l("Manager"),
    "finance": _l("Finance"),
    "hr": _l("HR"),
    "admin": _l("Administrator"),
    "auditor": _l("Auditor"),
}


REASONS: Mapping[str, LazyString] = {
    "number_taken": _l("There is a person with this staff number already."),
    "name_missing": _l("Enter a name."),
    "unit_kind": _l("This kind of unit cannot be below that one."),
    "no_membership": _l("This person belongs to no unit on that date."),
    "login": _l("A login has 1 to 63 of a–z, 0–9, dot, underscore and hyphen."),
    "login_taken": _l("There is an account with this login already."),
    "account_exists": _l("This person has an account already."),
    "self_grant": _l("Nobody grants a role to themselves. Ask another administrator."),
    "password_short": _l("The password is too short: use 10 characters or more."),
    "password_common": _l("This password is among the most common ones. Choose another."),
    "password_context": _l("The password contains the name or the company. Choose another."),
    "form": _l("Fill in every required field."),
}


def sentence(error: OutpostError) -> str:
    """Return the sentence for a refusal."""
    found = REASONS.get(error.code)
    if found is not None:
        return str(found)
    if "password" in error.fields or error.code.startswith("password"):
        return _("This password is too weak. Use several words nobody would guess.")
    return _("This cannot be saved.")
