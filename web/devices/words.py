"""Words of the device pages: conditions, modes, reasons, and what to do on each make of phone."""

from collections.abc import Mapping

from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

from web.datums import DATUMS
from web.sources import SOURCES

CONDITIONS: Mapping[str, tuple[LazyString, str]] = {
    "ok": (_l("Reports"), "ok"),
    "arriving": (_l("Old positions still arriving"), "info"),
    "idle": (_l("Off duty"), "mute"),
    "never": (_l("Never seen"), "info"),
    "silent": (_l("Silent"), "warn"),
    "battery": (_l("Battery low"), "warn"),
    "no_fix": (_l("Reports without position"), "warn"),
    "killed": (_l("Tracking looks killed"), "danger"),
    "quiet": (_l("Switched off in the app"), "danger"),
    "revoked": (_l("Revoked"), "leave"),
}
"""Condition → word and tone."""

KINDS: Mapping[str, str] = {
    "owntracks_android": "OwnTracks Android",
    "owntracks_ios": "OwnTracks iOS",
    "traccar": "Traccar Client",
    "overland": "Overland iOS",
    "network_survey": "Network Survey",
    "tower_collector": "Tower Collector",
    "osmand": "OsmAnd",
}

APPS: Mapping[str, str] = {
    "owntracks_android": "OwnTracks",
    "owntracks_ios": "OwnTracks",
    "traccar": "Traccar Client",
    "overland": "Overland",
    "network_survey": "Network Survey",
    "tower_collector": "Tower Collector",
    "osmand": "OsmAnd",
}
"""What the app is called on the phone itself."""

KIND_NOTES: Mapping[str, LazyString] = {
    "owntracks_android": _l("Android. Positions in the background; can be asked where it is."),
    "owntracks_ios": _l("iPhone. Positions in the background; can be asked where it is."),
    "traccar": _l("Android and iPhone. Positions in the background."),
    "overland": _l("iPhone. Positions in the background, sent in batches."),
    "network_survey": _l("Android. Radio cells of all networks, also without satellites."),
    "tower_collector": _l("Android. Radio cells for the company's own cell map."),
    "osmand": _l("Navigation app, or any tracker that speaks its protocol."),
}

SETTINGS: Mapping[str, LazyString] = {
    "host": _l("Server"),
    "port": _l("Port"),
    "tls": _l("Encrypted connection (TLS)"),
    "username": _l("User name"),
    "secret": _l("Secret"),
    "encryption_key": _l("Encryption key"),
    "server_url": _l("Server address"),
    "device_id": _l("Device identifier"),
    "endpoint": _l("Receiver endpoint URL"),
    "mls_url": _l("Custom MLS upload address"),
    "web_address": _l("Web address for online tracking"),
    "topic_prefix": _l("Topic prefix"),
}
"""Name of a setting in the app → what it is called here."""

HOW: Mapping[str, tuple[LazyString, ...]] = {
    "owntracks_android": (
        _l("Install OwnTracks on the phone and open it once."),
        _l("Scan the code with the phone's camera, or open this page on the phone and tap."),
        _l("Allow location always, also in the background, and switch battery optimisation off."),
    ),
    "owntracks_ios": (
        _l("Install OwnTracks on the phone and open it once."),
        _l("Scan the code with the phone's camera, or open this page on the phone and tap."),
        _l("Allow location always, with precise location."),
    ),
    "traccar": (
        _l("Install Traccar Client on the phone and open it."),
        _l("In its settings choose the QR button and scan the code, or tap the link here."),
        _l("Allow location always, then switch tracking on."),
    ),
    "overland": (
        _l("Install Overland on the iPhone."),
        _l("Scan the code with the camera, or open this page on the phone and tap."),
        _l("Allow location always, then switch tracking on."),
    ),
    "network_survey": (
        _l("Install Network Survey on the phone."),
        _l("Open its menu, MQTT broker connection, and scan the code with the button there."),
        _l("Switch the cellular stream and automatic start on, then connect."),
    ),
    "tower_collector": (
        _l("Install Tower Collector on the phone."),
        _l("In its preferences under upload, enter the address as custom MLS service."),
        _l("Switch the upload to this service on."),
    ),
    "osmand": (
        _l("Switch the trip recording plugin on."),
        _l("Under online tracking enter the web address as it stands here."),
        _l("Set the interval to 30 seconds and switch online tracking on."),
    ),
}
"""Steps for a person who holds the phone, by app."""

TROUBLES: Mapping[str, LazyString] = {
    "location_off": _l("The app may not read the location at all."),
    "not_always": _l("The app may read the location only while it is open: allow it always."),
    "coarse": _l("The app gets a rough location only: allow the precise one."),
    "power_save": _l("The phone is in power saving mode."),
    "optimised": _l("The system may stop the app to save battery: take it off the list."),
    "hibernates": _l("The system pauses the app when it is not used: switch that off."),
    "no_refresh": _l("Background refresh is off for the app."),
}
"""What a phone says stands in the way."""


def statement_words(told: Mapping[str, str]) -> str:
    """Return a statement of datums in words: that of the device, then those that differ."""
    parts = [str(DATUMS.get(told.get("datum", ""), "—"))]
    parts += [
        f"{SOURCES[source]}: {DATUMS.get(datum, datum)}"
        for source, datum in sorted(told.items())
        if source in SOURCES
    ]
    return " · ".join(parts)


ROW_ERRORS: Mapping[str, LazyString] = {
    "no_number": _l("No staff number"),
    "unknown_number": _l("Nobody has this staff number"),
    "left": _l("Has left the company"),
    "unknown_app": _l("Unknown app"),
    "twice": _l("Stands in the file twice"),
    "has_one": _l("Has a device with this app already"),
}

SHEET_ERRORS: Mapping[str, LazyString] = {
    "sheet_too_large": _l("The file is larger than 512 KB."),
    "sheet_not_text": _l("The file is not text. Save it as CSV."),
    "sheet_not_csv": _l("The file cannot be read as CSV."),
    "sheet_no_number_column": _l("The first line names no column “number”."),
    "sheet_empty": _l("The file has no rows."),
    "sheet_too_long": _l("The file has more than 500 rows. Split it."),
    "sheet_has_errors": _l("The file has rows that cannot be applied. Nothing was enrolled."),
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
        "Xiaomi · Redmi · POCO",
        (
            _l("Settings › Apps › Manage apps › %(app)s: switch Autostart on."),
            _l("In the same place, Battery saver: No restrictions."),
            _l("In the list of recent apps, hold %(app)s and lock it."),
        ),
    ),
    (
        "Huawei",
        (
            _l("Settings › Battery › App launch › %(app)s: manage manually, all three on."),
            _l("Settings › Battery: keep power saving mode off during the shift."),
            _l("In the list of recent apps, pull %(app)s down to lock it."),
        ),
    ),
    (
        "Honor",
        (
            _l("Settings › Apps › App launch › %(app)s: manage manually, all three on."),
            _l("Settings › Battery › More settings: stay connected while the phone sleeps."),
            _l("In the list of recent apps, pull %(app)s down to lock it."),
        ),
    ),
    (
        "OPPO · OnePlus · realme",
        (
            _l("Settings › Apps › %(app)s › Battery usage: allow background activity."),
            _l("In the same place, allow auto launch."),
            _l("In the list of recent apps, lock %(app)s from its menu."),
        ),
    ),
    (
        "vivo · iQOO",
        (
            _l("Settings › Battery › Background power consumption › %(app)s: do not restrict."),
            _l("i Manager › App manager › Autostart: switch %(app)s on."),
        ),
    ),
    (
        "Samsung",
        (
            _l("Settings › Apps › %(app)s › Battery: Unrestricted."),
            _l("Settings › Battery › Background usage limits › Never sleeping apps: add %(app)s."),
        ),
    ),
    (
        "iPhone",
        (
            _l("Settings › %(app)s › Location: Always, with Precise Location."),
            _l("Settings › General › Background App Refresh: on for %(app)s."),
            _l("Do not swipe the app away: iOS then stops it until it is opened again."),
        ),
    ),
)
"""What keeps the app alive, by make; ways and names differ a little by version."""

OUTCOMES: tuple[tuple[str, LazyString], ...] = (
    ("received", _l("Received")),
    ("stored", _l("Stored")),
    ("duplicate", _l("Duplicate")),
    ("quarantined", _l("Quarantined")),
    ("off_duty", _l("Off duty, not stored")),
    ("ignored", _l("Without content")),
)
