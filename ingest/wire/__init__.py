"""What a decoder makes of a message: fixes, events, things to ignore, or a reason why not.

Decoders are pure and never raise on content. Identity is none of their business: they see
what the payload says, and whose it is follows from credential and topic alone.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import msgspec

from geo.fix import Fix, QualityFlag, Source, from_epoch_s


class Reason(StrEnum):
    """Why a message could not be stored; the codes people filter quarantine by."""

    JSON = "json"
    DUP_KEY = "dup_key"
    DEPTH = "depth"
    TEXT = "text"
    SHAPE = "shape"
    SIZE = "size"
    KEYS = "keys"
    TYPE = "type"
    TYPE_UNKNOWN = "type_unknown"
    FORBIDDEN = "forbidden"
    CRYPTO = "crypto"
    TOPIC = "topic"
    DEVICE = "device"
    RANGE = "range"
    TST_UNIT = "tst_unit"
    TST_PAST = "tst_past"
    TST_FUTURE = "tst_future"
    GPS_ROLLOVER = "gps_rollover"
    RATE = "rate"
    DATABASE = "database"
    DECODER = "decoder"
    CRASH = "crash"


@dataclass(frozen=True, slots=True)
class Rejection:
    """A message that cannot be stored.

    Attributes
    ----------
    reason : stable code.
    detail : for people; never a coordinate or a name.
    at_s : epoch seconds the content speaks of, when that can be told; decides whether
        keeping the payload could keep an off-duty position.
    key : 64-bit key of the message, None for "hash the bytes".
    raw : the part of the message that was rejected, None for all of it.
    """

    reason: Reason
    detail: str
    at_s: float | None = None
    key: int | None = None
    raw: bytes | None = None


class Ignored(StrEnum):
    """Messages that are fine and carry nothing to keep."""

    EMPTY = "empty"
    CARD = "card"
    CONFIGURATION = "configuration"
    REQUEST = "request"
    SUMMARY = "summary"
    SURVEY = "survey"


class EventKind(StrEnum):
    """What a device says besides positions."""

    TRANSITION = "transition"
    WAYPOINT = "waypoint"
    STATUS = "status"
    LAST_WILL = "lwt"
    STEPS = "steps"
    BEACON = "beacon"


PLACE_EVENTS = frozenset({EventKind.TRANSITION, EventKind.BEACON})
"""Events that tell where somebody was; not kept without a time of their own."""


class Cell(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One radio cell a phone heard; every identity inside the ranges of its radio.

    Attributes
    ----------
    radio : `gsm`, `umts`, `lte`, `nr` or `cdma`; None when the client does not say, and then
        any radio that has room for the numbers may be meant.
    mcc, mnc : of the network. CDMA has no country code on the air: `mcc` is None and `mnc`
        is the SID, as in the cell files of OpenCelliD.
    area : LAC of GSM and UMTS, TAC of LTE and NR, NID of CDMA; None when unknown.
    cell : CI, 28-bit UTRAN id, ECI, NCI (up to 2^36 - 1), BID of CDMA.
    signal_dbm : RSSI, RSCP, RSRP, SS-RSRP by radio.
    timing_advance : in steps of the radio.
    serving : whether the phone was camping on it; None when unknown.
    unit : PSC of UMTS, PCI of LTE and NR.
    age_s : seconds between hearing the cell and the time of the message.
    """

    radio: str | None
    mcc: int | None
    mnc: int | None
    area: int | None
    cell: int
    signal_dbm: int | None = None
    timing_advance: int | None = None
    serving: bool | None = None
    unit: int | None = None
    age_s: float | None = None


class AccessPoint(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One Wi-Fi access point a phone heard; never its name.

    Attributes
    ----------
    mac : six pairs of upper-case hexadecimal digits with colons; globally unique ones only.
    """

    mac: str
    signal_dbm: int | None = None


class WireFix(msgspec.Struct, frozen=True, gc=False):
    """One position in our units, without its owner. Unknown is None, never 0.

    Plain numbers instead of `geo.fix.Fix`: tens of thousands are made in a second and go
    to the database as columns. `as_fix` gives the value the core works with.

    Attributes
    ----------
    fixed_s, sent_s : epoch seconds UTC.
    key : 64 bits that name the message for good.
    trigger : one character, `p` for a ping.
    raw : the message as it came.
    cells, wifi : heard at that place; recorded beside the fix.
    dropped : what of cells and access points was left out, one reason each.
    claimed : name of the device as the payload tells it; never decides whose it is.
    extras : what else the client says, in our names and units; shown, not stored.
    """

    fixed_s: float
    lon_deg: float
    lat_deg: float
    key: int
    raw: bytes
    accuracy_m: float | None = None
    altitude_m: float | None = None
    speed_mps: float | None = None
    course_deg: float | None = None
    battery_pct: int | None = None
    sent_s: float | None = None
    source: Source = Source.GPS
    trigger: str | None = None
    mock: bool | None = None
    flags: int = 0
    charging: bool | None = None
    connection: str | None = None
    mode: str | None = None
    cells: tuple[Cell, ...] = ()
    wifi: tuple[AccessPoint, ...] = ()
    dropped: tuple[str, ...] = ()
    claimed: str | None = None
    extras: dict[str, Any] | None = None

    def as_fix(self, *, received_s: float | None = None) -> Fix:
        """Return the value the pure core works with."""
        return Fix(
            fixed_at=from_epoch_s(self.fixed_s),
            lon_deg=self.lon_deg,
            lat_deg=self.lat_deg,
            accuracy_m=self.accuracy_m,
            source=self.source,
            speed_mps=self.speed_mps,
            course_deg=self.course_deg,
            altitude_m=self.altitude_m,
            battery_pct=self.battery_pct,
            mock=self.mock,
            trigger=self.trigger,
            received_at=None if received_s is None else from_epoch_s(received_s),
            key=format(self.key & 0xFFFFFFFFFFFFFFFF, "016x"),
            flags=QualityFlag(self.flags),
        )


class RadioScan(msgspec.Struct, frozen=True, gc=False):
    """What a phone heard around it, in a message without a position.

    Meanings are those of `WireFix`; where it was is for cell tables and carriers to tell.
    """

    fixed_s: float
    key: int
    raw: bytes
    cells: tuple[Cell, ...] = ()
    wifi: tuple[AccessPoint, ...] = ()
    dropped: tuple[str, ...] = ()
    sent_s: float | None = None
    battery_pct: int | None = None
    charging: bool | None = None
    connection: str | None = None
    mode: str | None = None
    trigger: str | None = None
    mock: bool | None = None
    flags: int = 0
    claimed: str | None = None
    extras: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class DeviceEvent:
    """Something a device said that is not a position.

    Attributes
    ----------
    at_s : epoch seconds UTC; None when only the server's clock can tell.
    body : JSON in our names and units, small.
    """

    kind: EventKind
    at_s: float | None
    key: int
    body: dict[str, Any]
    raw: bytes


Decoded = WireFix | RadioScan | DeviceEvent | Rejection | Ignored
