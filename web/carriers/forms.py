"""What the form of a provider says."""

from collections.abc import Mapping
from typing import Any, Final

from server.carriers.services import SECRETS, Options, ProviderDraft, ProviderKind
from server.errors import InvalidInput

_NUMBERS: Final = ("connect_s", "read_s", "total_s", "max_age_s", "accuracy_m")
_TEXTS: Final = ("datum", "country_code", "utc_off", "test_number")
PHONE_ONLY: Final = frozenset(
    {"accuracy_m", "country_code", "national_numbers", "utc_off", "test_number", "person_quota"}
)
"""Fields that a geolocate service has no use for."""


def draft_of(form: Mapping[str, str], *, kind: ProviderKind, name: str) -> ProviderDraft:
    """Read the form of one provider.

    Raises
    ------
    InvalidInput : a number is none; the service checks the rest.
    """
    options: dict[str, Any] = {n: _number(form, n) for n in _NUMBERS if form.get(n, "").strip()}
    options |= {n: form[n].strip() for n in _TEXTS if n in form}
    phones = kind is not ProviderKind.GEOLOCATE
    if phones:
        options["national_numbers"] = form.get("national_numbers") == "1"
    else:
        options = {n: value for n, value in options.items() if n not in PHONE_ONLY}
    return ProviderDraft(
        name=name,
        kind=kind,
        url=form.get("url", "").strip(),
        credentials={n: form.get(f"secret_{n}", "") for n in SECRETS[kind]},
        options=options,
        daily_quota=int(_number(form, "daily_quota")),
        person_quota=int(_number(form, "person_quota")) if phones else 0,
        position=int(_number(form, "position")),
        enabled=form.get("enabled") == "1",
    )


def values_of(kind: ProviderKind, view: Any | None, form: Mapping[str, str]) -> dict[str, Any]:  # noqa: ANN401  # a ProviderView
    """Return what the form shows: what was just sent, else what is stored, else defaults.

    Credentials are never among it.
    """
    if view is None:
        start: dict[str, Any] = {
            **Options.default(kind).to_json(),
            "name": "",
            "url": "",
            "daily_quota": 1000,
            "person_quota": 20,
            "position": 0,
            "enabled": True,
        }
    else:
        start = {**Options.default(kind).to_json(), **view.options}
        names = ("name", "url", "daily_quota", "person_quota", "position", "enabled")
        start |= {n: getattr(view, n) for n in names}
    if form:
        start |= {n: v for n, v in form.items() if n in start}
        start["enabled"] = form.get("enabled") == "1"
        start["national_numbers"] = form.get("national_numbers") == "1"
    return start


def _number(form: Mapping[str, str], name: str) -> float:
    try:
        return float(form.get(name, "").strip() or "0")
    except ValueError:
        raise InvalidInput("bad_option", f"{name} is no number", fields={name: ""}) from None
