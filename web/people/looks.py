"""Words for entries of the access log."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

from server.audit.queries import Look
from web.locate.words import PURPOSES as ASKED_FOR

PURPOSES: Mapping[str, LazyString] = {
    "live_supervision": _l("supervision on duty"),
    "day_review": _l("review of a day"),
    "alert_review": _l("review of an alert"),
    "visit_review": _l("review of a visit"),
    "claim_review": _l("review of a travel claim"),
    "export": _l("export"),
    "own_data": _l("own data"),
    "device_support": _l("help with the phone"),
    "locate_now": _l("question where one is now"),
    "policy_trial": _l("trial of other rules"),
}

VIEWS: Mapping[str, LazyString] = {
    "live_map": _l("Live map"),
    "live_table": _l("Live map as a table"),
    "live_trail": _l("Trail on the live map"),
    "overview": _l("Overview"),
    "people": _l("List of people"),
    "person": _l("Page of the person"),
    "alerts": _l("List of alerts"),
    "alert": _l("Evidence of an alert"),
    "visits": _l("List of visits"),
    "visit": _l("Evidence of a visit"),
    "visit_evidence": _l("Positions of a visit"),
    "pin_proposal": _l("Proposal to move a pin"),
    "claims": _l("List of travel claims"),
    "claim": _l("Check of a travel claim"),
    "claim_way": _l("Ways of a travel claim"),
    "claim_brought": _l("Travel claim brought for the person"),
    "signs": _l("List of signs"),
    "sign": _l("Evidence of signs"),
    "sign_evidence": _l("Positions of a day with signs"),
    "locate": _l("Locate now"),
    "track": _l("Track playback"),
    "what_if": _l("Result of a what-if"),
    "what_if.csv": _l("Export of a what-if"),
    "track.gpx": _l("Export of the track as GPX"),
    "track.geojson": _l("Export of the track as GeoJSON"),
    "track.csv": _l("Export of the track as CSV"),
}


def template_words() -> dict[str, Any]:
    """Return what the templates of a person's day need besides the data."""
    return {
        "look_purposes": PURPOSES,
        "look_views": VIEWS,
        "look_reason": reason_words,
        "days": _days,
    }


def reason_words(look: Look) -> str:
    """Return why somebody looked, with the code of a question's purpose in words."""
    reason = look.reason or ""
    if look.view != "locate":
        return reason
    purpose, _, said = reason.partition(": ")
    return " · ".join(part for part in (str(ASKED_FOR.get(purpose, purpose)), said) if part)


def _days(number: int) -> timedelta:
    return timedelta(days=number)
