"""Words for security events and their details."""

from collections.abc import Mapping
from typing import Any

from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

from web.organisation.words import ROLES

KINDS: Mapping[str, LazyString] = {
    "sign_in": _l("Signed in"),
    "sign_out": _l("Signed out"),
    "sign_in_refused": _l("Sign-in refused"),
    "look_quota": _l("Looked at too many people"),
    "look_quota_reached": _l("Asked for more tracks than an hour allows"),
    "locate_refused": _l("Question where somebody is, refused"),
    "account_created": _l("Account opened"),
    "account_on": _l("Account switched on"),
    "account_off": _l("Account switched off"),
    "password_set": _l("Password set"),
    "role_granted": _l("Role granted"),
    "role_revoked": _l("Role revoked"),
    "employment_ended": _l("Employment ended"),
    "tenant_created": _l("Company created"),
    "device_enrolled": _l("Device enrolled"),
    "device_revoked": _l("Device revoked"),
    "device_rotated": _l("Device given a new secret"),
    "device_datum": _l("Map datum of a device stated"),
    "ticket_opened": _l("One-time link of a device opened"),
    "audit_exported": _l("Audit trail exported"),
    "carrier_consent_recorded": _l("Consent to be located by the carrier recorded"),
    "claim_decided": _l("Travel claim decided"),
    "carrier_consent_withdrawn": _l("Consent to be located by the carrier withdrawn"),
}


COUNT_VIEWS: Mapping[str, LazyString] = {
    "distribution": _l("Distribution"),
    "distribution_areas": _l("Drawn areas"),
    "distribution_export": _l("Export of a distribution"),
    "live_cells": _l("Live map"),
}
"""Where counts of people were shown."""


def kind_words(kind: str) -> str:
    """Return what a kind of event means, its own words when nobody named it."""
    return str(KINDS.get(kind) or kind.replace("_", " "))


def detail_words(detail: Mapping[str, Any]) -> str:
    """Return what an event says besides: a role in words, counts and names as they are."""
    shown = {key: value for key, value in detail.items() if key != "unit"}
    role = shown.pop("role", None)
    parts = [str(ROLES.get(role, role))] if role else []
    return " · ".join([*parts, *(f"{key}: {value}" for key, value in sorted(shown.items()))])
