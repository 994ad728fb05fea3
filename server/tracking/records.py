"""What a door hands over to be recorded: values, already decoded, gated and flagged."""

import math
import struct
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol
from uuid import UUID

import msgspec

from geo.fix import Source
from server.tracking.models import Via

if TYPE_CHECKING:
    from server.tracking.columns import FixTable

__all__ = [
    "NOBODY",
    "Batch",
    "DeviceRef",
    "DutySlot",
    "EventRecord",
    "FixRecord",
    "Measured",
    "QuarantineRecord",
    "RadioRecord",
    "Recorded",
    "Via",
]

NIL = UUID(int=0)
_OWNER = struct.Struct("!i16s16s")


@dataclass(frozen=True, slots=True)
class DeviceRef:
    """A device and whose it is.

    Attributes
    ----------
    packed : tenant (4 bytes), employee and device (16 bytes each), as PostgreSQL sorts them.
    """

    tenant_id: int
    device_id: UUID
    employee_id: UUID
    packed: bytes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        packed = _OWNER.pack(self.tenant_id, self.employee_id.bytes, self.device_id.bytes)
        object.__setattr__(self, "packed", packed)

    def __hash__(self) -> int:
        # Asked for each topic of each batch; that of three parts costs ten times as much.
        return hash(self.packed)

    @property
    def order(self) -> int:
        """What devices of one tenant are sorted by: as PostgreSQL sorts their identifiers."""
        return self.device_id.int


NOBODY = DeviceRef(0, NIL, NIL)
"""Messages of devices nobody knows are counted here."""


class Measured(Protocol):
    """A position in our units, see `ingest.wire.WireFix`."""

    @property
    def fixed_s(self) -> float: ...  # noqa: D102
    @property
    def sent_s(self) -> float | None: ...  # noqa: D102
    @property
    def lon_deg(self) -> float: ...  # noqa: D102
    @property
    def lat_deg(self) -> float: ...  # noqa: D102
    @property
    def key(self) -> int: ...  # noqa: D102
    @property
    def raw(self) -> bytes: ...  # noqa: D102
    @property
    def accuracy_m(self) -> float | None: ...  # noqa: D102
    @property
    def altitude_m(self) -> float | None: ...  # noqa: D102
    @property
    def speed_mps(self) -> float | None: ...  # noqa: D102
    @property
    def course_deg(self) -> float | None: ...  # noqa: D102
    @property
    def battery_pct(self) -> int | None: ...  # noqa: D102
    @property
    def source(self) -> Source: ...  # noqa: D102
    @property
    def trigger(self) -> str | None: ...  # noqa: D102
    @property
    def mock(self) -> bool | None: ...  # noqa: D102
    @property
    def charging(self) -> bool | None: ...  # noqa: D102
    @property
    def connection(self) -> str | None: ...  # noqa: D102
    @property
    def mode(self) -> str | None: ...  # noqa: D102


class DutySlot(NamedTuple):
    """Part of somebody's duty time: the roster entry it belongs to, and its work dates.

    Two where the grace of one shift reaches into the next. `starts_s` and `ends_s` are
    epoch seconds of duty itself, half-open and without the grace.
    """

    roster_entry_id: UUID
    work_on: tuple[date, ...]
    starts_s: float = -math.inf
    ends_s: float = math.inf


class FixRecord(msgspec.Struct, frozen=True, gc=False):
    """A fix on duty, ready to store. `device_no` indexes `Batch.devices`."""

    device_no: int
    fix: Measured
    received_s: float
    flags: int
    slot: DutySlot
    via: Via


class RadioRecord(msgspec.Struct, frozen=True, gc=False):
    """What a phone on duty heard around it, ready to store.

    Attributes
    ----------
    cells, wifi : JSON values, see `server.tracking.radio_models.RadioReport`.
    dropped : one reason for each that was left out.
    has_fix : whether the message has a position, and so a fix of the same instant and key.
    with_fix : whether that fix is in the batch; one a scan is enough.
    untimed : whether `fixed_s` is the time of receipt, for want of another.
    raw : the message; None when the fix keeps it.
    """

    device_no: int
    fixed_s: float
    key: int
    received_s: float
    cells: list[dict[str, Any]]
    wifi: list[dict[str, Any]]
    via: Via
    has_fix: bool
    with_fix: bool
    dropped: tuple[str, ...] = ()
    sent_s: float | None = None
    battery_pct: int | None = None
    charging: bool | None = None
    flags: int = 0
    untimed: bool = False
    raw: bytes | None = None


@dataclass(frozen=True, slots=True)
class EventRecord:
    """A device event on duty, ready to store; `lost` marks a last will.

    `slot` is given where the engine has to look at the day again.
    """

    device_no: int
    kind: str
    at_s: float
    key: int
    body: dict[str, Any]
    received_s: float
    via: Via
    lost: bool = False
    health: dict[str, Any] | None = None
    slot: DutySlot | None = None


@dataclass(frozen=True, slots=True)
class QuarantineRecord:
    """A message that cannot be stored; `payload` already sealed, or None when not to be kept."""

    device_no: int
    username: str
    topic: str
    reason: str
    detail: str
    key: int
    size: int
    payload: bytes | None
    received_s: float
    via: Via


@dataclass(slots=True)
class Batch:
    """Everything one transaction records.

    Attributes
    ----------
    devices : owners; records refer to them by position.
    table : fixes too, as columns; for doors that take in thousands at once.
    is_first : whether all of `fixes` and `table` probably arrive for the first time, so that
        storing them may begin without asking what is there.
    scans : device, instant and key of the fixes with something heard beside them.
    off_duty, ignored : per record, (device_no, received_s) of what is only counted.
    """

    devices: list[DeviceRef] = field(default_factory=list)
    fixes: list[FixRecord] = field(default_factory=list)
    table: "FixTable | None" = None
    is_first: bool = False
    events: list[EventRecord] = field(default_factory=list)
    radio: list[RadioRecord] = field(default_factory=list)
    scans: set[tuple[int, float, int]] = field(default_factory=set)
    quarantined: list[QuarantineRecord] = field(default_factory=list)
    off_duty: list[tuple[int, float]] = field(default_factory=list)
    ignored: list[tuple[int, float]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Recorded:
    """Counts of what became of a batch; they add up to `received`.

    `moved` are the fixes that became somebody's last position.
    """

    moved: tuple[FixRecord, ...] = ()
    received: int = 0
    stored: int = 0
    duplicate: int = 0
    quarantined: int = 0
    off_duty: int = 0
    ignored: int = 0
