"""Words for providers, their answers and people's consent."""

from collections.abc import Mapping

from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

from server.carriers.services import BreakerState, ProviderKind, RefusalCode, Withdrawn
from server.errors import OutpostError
from web.texts import _

KINDS: Mapping[ProviderKind, LazyString] = {
    ProviderKind.GEOLOCATE: _l("Cells and Wi-Fi to position (geolocate)"),
    ProviderKind.MLP: _l("Carrier, OMA MLP 3.x"),
    ProviderKind.LE2: _l("Chinese carrier, LE 2.0.0 (GB2312)"),
}

KIND_NOTES: Mapping[ProviderKind, LazyString] = {
    ProviderKind.GEOLOCATE: _l("Told which radio cells and networks a phone heard; never whose."),
    ProviderKind.MLP: _l("Asked where a phone number is, with the person's consent, on duty only."),
    ProviderKind.LE2: _l("As MLP, in the dialect that carriers in China speak."),
}

SECRETS: Mapping[str, LazyString] = {
    "key": _l("Key"),
    "client_id": _l("Client id"),
    "password": _l("Password"),
    "service_id": _l("Service id"),
    "requestor": _l("Requestor"),
}

DATUMS: Mapping[str, LazyString] = {
    "wgs84": _l("WGS-84"),
    "gcj02": _l("GCJ-02 (Chinese maps)"),
    "bd09": _l("BD-09 (Baidu)"),
}

BREAKERS: Mapping[BreakerState, tuple[LazyString, str]] = {
    BreakerState.CLOSED: (_l("Answers"), "ok"),
    BreakerState.OPEN: (_l("Paused after faults"), "danger"),
    BreakerState.TRIAL: (_l("On trial"), "warn"),
}

WITHDRAWN: Mapping[Withdrawn, LazyString] = {
    Withdrawn.PERSON: _l("by the person"),
    Withdrawn.ACCOUNT: _l("by an administrator"),
    Withdrawn.CARRIER: _l("at the carrier"),
}

PURPOSES: Mapping[str, LazyString] = {
    "test": _l("Test call"),
    "resolve_cells": _l("Place cells"),
}

_REFUSALS: Mapping[RefusalCode, LazyString] = {
    RefusalCode.NO_PROVIDER: _l("No carrier or positioning service is set up."),
    RefusalCode.OFF_DUTY: _l("The person is not on duty, so nobody may ask."),
    RefusalCode.NO_NUMBER: _l("The person has no phone number on record."),
    RefusalCode.BAD_NUMBER: _l("The phone number on record is no mobile number."),
    RefusalCode.NO_CONSENT: _l("The person has not agreed to being located by the carrier."),
    RefusalCode.PERSON_QUOTA: _l("The carrier was asked often enough about this person today."),
    RefusalCode.DAY_QUOTA: _l("The requests allowed a day are used up."),
    RefusalCode.BREAKER_OPEN: _l(
        "The provider failed several times and is left alone for a while."
    ),
    RefusalCode.FORBIDDEN_ADDRESS: _l(
        "The address may not be called: it is private or not https. The operator can allow it."
    ),
    RefusalCode.UNREACHABLE: _l("The provider cannot be reached."),
    RefusalCode.TIMEOUT: _l("The provider did not answer in time."),
    RefusalCode.TOO_BIG: _l("The answer was too big and was not read."),
    RefusalCode.REDIRECT: _l("The provider sent us to another address, which is not followed."),
    RefusalCode.HTTP_STATUS: _l("The provider answered with an error."),
    RefusalCode.BAD_ANSWER: _l("The answer could not be understood."),
    RefusalCode.CONSENT_WITHDRAWN: _l("Consent was withdrawn at the carrier. This is no absence."),
    RefusalCode.FORBIDDEN_BY_LAW: _l("Local rules forbid locating this phone."),
    RefusalCode.UNKNOWN_SUBSCRIBER: _l("The carrier does not know this number."),
    RefusalCode.ABSENT: _l("The phone is switched off or without network."),
    RefusalCode.NOT_POSITIONED: _l("The network could not position the phone."),
    RefusalCode.ACCURACY: _l("The network could not position the phone accurately enough."),
    RefusalCode.CONGESTED: _l("The provider is too busy now."),
    RefusalCode.UNAUTHORISED: _l("The provider does not accept the credentials or the request."),
    RefusalCode.NOT_UNDERSTOOD: _l("The provider did not understand the request."),
    RefusalCode.PROVIDER_FAILURE: _l("The provider reports a fault of its own."),
    RefusalCode.NOT_FOUND: _l("The service knows none of the cells and networks."),
    RefusalCode.IP_ONLY: _l("The service guessed from a network address, which is no position."),
    RefusalCode.CELL_ONLY: _l("The carrier named a radio cell only, and its place is unknown."),
    RefusalCode.OLD_ANSWER: _l("The carrier's position is from before duty and was not kept."),
    RefusalCode.OTHER_PHONE: _l("The carrier answered about another number."),
}

_ERRORS: Mapping[str, LazyString] = {
    "bad_name": _l("A name has 1 to 31 of a–z, 0–9 and hyphen."),
    "name_taken": _l("There is a provider with this name already."),
    "bad_url": _l("Enter an https address without user name or password."),
    "bad_secret": _l("A credential is too long or has characters that cannot be sent."),
    "bad_quota": _l("A quota is a whole number from 0 to 1,000,000."),
    "bad_option": _l("A setting is out of range."),
    "unknown_option": _l("A setting is out of range."),
    "no_test_number": _l("Enter a number for test calls first."),
    "bad_number": _l("This is no mobile number."),
    "number_of_employee": _l(
        "The test number belongs to an employee. People are located with a purpose, not to test."
    ),
    "no_number": _l("The person has no phone number on record."),
    "bad_note": _l("Say how consent was given, such as the file of the signed sheet."),
    "bad_time": _l("Consent cannot be from the future."),
    "form": _l("Fill in every required field."),
}


_DETAILS: Mapping[str, LazyString] = {
    "the name was not resolved in time": _l("its name was not resolved in time"),
    "the name cannot be resolved": _l("its name cannot be resolved"),
    "the name leads into a private network": _l("its name leads into a private network"),
    "no whole answer in time": _l("no whole answer came in time"),
    "the connection was closed without an answer": _l("it closed the connection without a word"),
    "the answer was cut off": _l("the answer was cut off"),
    "compressed, which was not asked for": _l("the answer was compressed unasked"),
    "from before duty": _l("from before duty"),
    "without a time": _l("without a time"),
    "it was given for another number": _l("consent was given for another number"),
}


def detail(text: str | None) -> str:
    """Return what is known beyond the outcome: our own words translated, a carrier's as is."""
    found = _DETAILS.get(text or "")
    return str(found) if found is not None else text or ""


def placed_by(name: str) -> str:
    """Return who placed a scan, from `resolved_by`."""
    if name == "cells":
        return _("Imported cells")
    return _("Cells learned here") if name == "learned" else name.removeprefix("carrier:")


def outcome(code: str | None) -> str:
    """Return what came of a request, from its column."""
    if code is None:
        return _("No answer yet")
    if code == "ok":
        return _("Position received")
    if code == "cached":
        return _("An earlier answer was shown")
    return refusal(code)


def refusal(code: str) -> str:
    """Return the sentence for a refusal code of `server.carriers.rules`."""
    return str(_REFUSALS[RefusalCode(code)]) if code in list(RefusalCode) else code


def tone(code: str | None) -> str:
    """Return the tone in which an outcome is shown."""
    if code in {"ok", "cached"}:
        return "ok"
    known = {None: "mute", "consent_withdrawn": "leave", "off_duty": "leave", "absent": "mute"}
    known |= {"not_found": "mute", "unknown_subscriber": "mute"}
    return known.get(code, "warn")


def purpose(code: str) -> str:
    """Return why a provider was asked."""
    found = PURPOSES.get(code)
    return str(found) if found is not None else _("Locate now")


def sentence(error: OutpostError) -> str:
    """Return the sentence for a refused change."""
    found = _ERRORS.get(error.code)
    return str(found) if found is not None else _("This cannot be saved.")
