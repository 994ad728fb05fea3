"""Words of the device pages: conditions, modes, reasons, and what to do on each make of phone."""

from collections.abc import Mapping

from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

CONDITIONS: Mapping[str, tuple[LazyString, str]] = {
    "ok": (_l("Reports"), "ok"),
    "idle": (_l("Off duty"), "mute"),
    "never": (_l("Never seen"), "info"),
    "silent": (_l("Silent"), "warn"),
    "battery": (_l("Battery low"), "warn"),
    "killed": (_l("Tracking looks killed"), "danger"),
    "quiet": (_l("Switched off in the app"), "danger"),
    "revoked": (_l("Revoked"), "leave"),
}
"""Condition → word and tone."""

KINDS: Mapping[str, str] = {
    "owntracks_android": "OwnTracks Android",
    "owntracks_ios": "OwnTracks iOS",
}

MODES: Mapping[str, LazyString] = {
    "move": _l("moving: often"),
    "significant": _l("significant changes only"),
    "manual": _l("manual"),
    "quiet": _l("quiet: nothing is sent"),
}

CONNECTIONS: Mapping[str, LazyString] = {
    "wifi": _l("Wi-Fi"),
    "mobile": _l("mobile network"),
    "offline": _l("offline"),
}

STEPS: tuple[tuple[str, tuple[LazyString, ...]], ...] = (
    (
        "Xiaomi · Redmi",
        (
            _l("Settings › Apps › Manage apps › OwnTracks › Autostart: on."),
            _l("In the same place, Battery saver: No restrictions."),
            _l("In the list of recent apps, hold OwnTracks and lock it."),
        ),
    ),
    (
        "Huawei · Honor",
        (
            _l("Settings › Battery › App launch › OwnTracks: manage manually, all three on."),
            _l("Settings › Battery: switch power saving mode off during the shift."),
        ),
    ),
    (
        "OPPO · vivo · OnePlus",
        (
            _l("Settings › Battery › OwnTracks: allow background activity."),
            _l("Settings › Apps › Autostart › OwnTracks: on."),
        ),
    ),
    (
        "Samsung",
        (
            _l("Settings › Apps › OwnTracks › Battery: Unrestricted."),
            _l("Settings › Battery › Background limits › Never sleeping apps: add OwnTracks."),
        ),
    ),
    (
        "iPhone",
        (
            _l("Settings › OwnTracks › Location: Always, with Precise Location."),
            _l("Settings › General › Background App Refresh: on for OwnTracks."),
            _l("Do not swipe the app away: iOS then stops it until it is opened again."),
        ),
    ),
)
"""What keeps the app alive, by make."""

OUTCOMES: tuple[tuple[str, LazyString], ...] = (
    ("received", _l("Received")),
    ("stored", _l("Stored")),
    ("duplicate", _l("Duplicate")),
    ("quarantined", _l("Quarantined")),
    ("off_duty", _l("Off duty, not stored")),
    ("ignored", _l("Without content")),
)
