"""What others may ask of tracking: the live map, days, devices, counts. No writes."""

from server.tracking.checks import CellChecks, CellCheckView, cell_checks, checked_fixes
from server.tracking.days import (
    AssignmentView,
    Day,
    FixColumns,
    PresenceView,
    day,
    evidence_fixes,
    fixes_of_day,
    to_columns,
)
from server.tracking.exports import csv_lines, csv_row, geojson_lines, gpx_lines
from server.tracking.intake_lists import (
    Delivery,
    DeviceHealthView,
    LedgerView,
    QuarantineView,
    delivery,
    device_health,
    ledger,
    quarantine,
)
from server.tracking.live_map import DutySpan, LiveMap, duty_now, duty_spans, live_map, trail
from server.tracking.radio_models import CrossCheck
from server.tracking.rules import LiveStatus, LiveThresholds, PresenceState, live_status
from server.tracking.subject import fixes_of_person, records_of_person

__all__ = [
    "AssignmentView",
    "CellCheckView",
    "CellChecks",
    "CrossCheck",
    "Day",
    "Delivery",
    "DeviceHealthView",
    "DutySpan",
    "FixColumns",
    "LedgerView",
    "LiveMap",
    "LiveStatus",
    "LiveThresholds",
    "PresenceState",
    "PresenceView",
    "QuarantineView",
    "cell_checks",
    "checked_fixes",
    "csv_lines",
    "csv_row",
    "day",
    "delivery",
    "device_health",
    "duty_now",
    "duty_spans",
    "evidence_fixes",
    "fixes_of_day",
    "fixes_of_person",
    "geojson_lines",
    "gpx_lines",
    "ledger",
    "live_map",
    "live_status",
    "quarantine",
    "records_of_person",
    "to_columns",
    "trail",
]
