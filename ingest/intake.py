"""One way in for every door: decode, gate, flag, record; the caller commits.

Nothing a message contains can make this raise: what cannot be decoded becomes a row in
quarantine. What can raise is the database, and then nothing of the batch is stored.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import msgspec
from sqlalchemy.orm import Session

from geo.policy import QualityPolicy
from ingest.devices import DeviceEntry, Directory
from ingest.duty import DutyIndex, Person, Span
from ingest.flags import Flagger
from ingest.quarantine import seal_payload
from ingest.ratelimit import RateLimiter
from ingest.topics import Topic, parse_topic
from ingest.wire import (
    PLACE_EVENTS,
    Decoded,
    DeviceEvent,
    EventKind,
    Ignored,
    Reason,
    Rejection,
    WireFix,
)
from ingest.wire.owntracks import Envelope, decode, key_of
from server.crypto import Vault
from server.tracking.recording import record_fixes
from server.tracking.records import (
    NOBODY,
    Batch,
    DeviceRef,
    EventRecord,
    FixRecord,
    QuarantineRecord,
    Recorded,
    Via,
)

_MAX_TOPIC_CHARS = 256
_PLACE_FIELDS = ("lon", "lat", "name")


class Message(msgspec.Struct, frozen=True, gc=False):
    """One message as a door received it.

    Attributes
    ----------
    received_s : epoch seconds of the server's clock.
    reason : given by the door when the message must not be decoded any more.
    """

    topic: str | bytes
    payload: bytes
    received_s: float
    via: Via = Via.MQTT
    retained: bool = False
    reason: Reason | None = None
    detail: str = ""


def unread(message: Message, reason: Reason, detail: str) -> Message:
    """Return a message that goes to quarantine without being looked at."""
    return msgspec.structs.replace(message, reason=reason, detail=detail)


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a batch: counts for the log, fixes for the live map."""

    recorded: Recorded
    batch: Batch


class Watch(Protocol):
    """Told which messages are being looked at, in case looking at them ends the process."""

    def begin(self, messages: Sequence[Message]) -> None:
        """Note what is about to be looked at."""
        ...

    def passed(self, messages: Sequence[Message]) -> None:
        """Note that these were looked at and did no harm."""
        ...


@dataclass(slots=True)
class _Item:
    message: Message
    username: str
    device_no: int
    decoded: Decoded


@dataclass(slots=True)
class _Sorting:
    """A batch in the making."""

    batch: Batch = field(default_factory=Batch)
    numbers: dict[DeviceRef, int] = field(default_factory=dict)
    items: list[_Item] = field(default_factory=list)

    def number(self, device: DeviceRef) -> int:
        found = self.numbers.get(device)
        if found is None:
            found = self.numbers[device] = len(self.batch.devices)
            self.batch.devices.append(device)
        return found


class Intake:
    """Turns messages into rows.

    Parameters
    ----------
    directory : finds devices by user name.
    vault : seals quarantined payloads.
    duty : the gate's memory; one per process.
    limiter : token buckets, None for no limit.
    watch : told what is in hand while messages are decoded, None for nobody.
    before_decode : called with each message before it is looked at; tests crash here.
    """

    def __init__(
        self,
        *,
        directory: Directory,
        vault: Vault,
        duty: DutyIndex | None = None,
        limiter: RateLimiter | None = None,
        quality: QualityPolicy | None = None,
        watch: Watch | None = None,
        before_decode: Callable[[Message], None] | None = None,
    ) -> None:
        self._directory = directory
        self._vault = vault
        self._duty = duty or DutyIndex()
        self._limiter = limiter
        self._flagger = Flagger(quality or QualityPolicy())
        self._watch = watch
        self._before_decode = before_decode

    def take(self, session: Session, messages: Sequence[Message]) -> Taken:
        """Record a batch of messages in the session's transaction.

        Parameters
        ----------
        session : of `outpost_ingest`; commit before acknowledging.
        messages : any order, any mixture of devices.

        Raises
        ------
        psycopg.Error, sqlalchemy.exc.SQLAlchemyError : the database refused; roll back.
        """
        sorting = _Sorting()
        entries: dict[str, DeviceEntry | None] = {}
        if self._watch is not None:
            self._watch.begin(messages)
        for message in messages:
            self._decode(session, message, sorting, entries)
        if self._watch is not None:
            self._watch.passed(messages)
        self._duty.refresh(session, _needs(sorting))
        for item in sorting.items:
            self._sort(item, sorting.batch)
        batch = sorting.batch
        batch.fixes = self._flagger.flag(batch.fixes, batch.devices)
        return Taken(record_fixes(session, batch), batch)

    def _decode(
        self,
        session: Session,
        message: Message,
        sorting: _Sorting,
        entries: dict[str, DeviceEntry | None],
    ) -> None:
        topic = parse_topic(message.topic)
        if isinstance(topic, Rejection):
            sorting.items.append(_Item(message, "", sorting.number(NOBODY), topic))
            return
        username = topic.username
        if username in entries:
            entry = entries[username]
        else:
            entry = entries[username] = self._directory.find(session, username)
        ref = NOBODY if entry is None else entry.ref
        device_no = sorting.number(ref)
        for decoded in self._results(message, topic, entry):
            sorting.items.append(_Item(message, username, device_no, decoded))

    def _results(
        self, message: Message, topic: Topic, entry: DeviceEntry | None
    ) -> Iterable[Decoded]:
        if message.reason is not None:
            return [Rejection(message.reason, message.detail)]
        if entry is None:
            return [Rejection(Reason.DEVICE, "nobody has enrolled this device")]
        if entry.revoked_at is not None and message.received_s > entry.revoked_at.timestamp():
            return [Rejection(Reason.DEVICE, "the device was revoked")]
        if topic.kind == "cmd":
            return [Rejection(Reason.FORBIDDEN, "a phone may not send commands")]
        if self._limiter is not None and not self._limiter.allows(
            entry.username, 1, message.received_s
        ):
            return [Rejection(Reason.RATE, "more than a device may send")]
        if self._before_decode is not None:
            self._before_decode(message)
        try:
            return decode(
                message.payload,
                Envelope(message.received_s, entry.username, entry.secret, entry.enrolled_s),
            )
        except Exception as error:  # noqa: BLE001 - no message may ever stop the others
            return [Rejection(Reason.DECODER, type(error).__name__)]

    def _sort(self, item: _Item, batch: Batch) -> None:
        """Put one result where it belongs; this is the gate."""
        decoded, message = item.decoded, item.message
        device = batch.devices[item.device_no]
        if isinstance(decoded, WireFix):
            slot = self._duty.slot_at((device.tenant_id, device.employee_id), decoded.fixed_s)
            if slot is None:
                batch.off_duty.append((item.device_no, message.received_s))
            else:
                batch.fixes.append(
                    FixRecord(
                        item.device_no,
                        decoded,
                        message.received_s,
                        decoded.flags,
                        slot,
                        message.via,
                    )
                )
        elif isinstance(decoded, Rejection):
            batch.quarantined.append(self._quarantined(item, decoded, device))
        elif isinstance(decoded, DeviceEvent):
            self._sort_event(item, decoded, device, batch)
        else:
            batch.ignored.append((item.device_no, message.received_s))

    def _sort_event(self, item: _Item, event: DeviceEvent, device: DeviceRef, batch: Batch) -> None:
        received_s = item.message.received_s
        at_s = received_s if event.at_s is None else event.at_s
        on_duty = self._duty.slot_at((device.tenant_id, device.employee_id), at_s) is not None
        if not on_duty and event.kind in PLACE_EVENTS:
            batch.off_duty.append((item.device_no, received_s))
            return
        if not on_duty and event.kind is EventKind.LAST_WILL:
            batch.ignored.append((item.device_no, received_s))
            return
        body = event.body
        if event.kind is EventKind.WAYPOINT:
            # People save their homes as waypoints; that one exists is all anybody may know.
            body = {name: value for name, value in body.items() if name not in _PLACE_FIELDS}
        batch.events.append(
            EventRecord(
                device_no=item.device_no,
                kind=event.kind.value,
                at_s=at_s,
                key=event.key,
                body=body,
                received_s=received_s,
                via=item.message.via,
                lost=event.kind is EventKind.LAST_WILL,
                health=body if event.kind is EventKind.STATUS else None,
            )
        )

    def _quarantined(
        self, item: _Item, rejection: Rejection, device: DeviceRef
    ) -> QuarantineRecord:
        message = item.message
        payload = message.payload if rejection.raw is None else rejection.raw
        key = key_of(payload) if rejection.key is None else rejection.key
        sealed = None
        if payload and self._may_keep(rejection, message, device):
            sealed = seal_payload(
                self._vault, payload, tenant_id=device.tenant_id, username=item.username, key=key
            )
        topic = message.topic
        shown = topic if isinstance(topic, str) else topic.decode("utf-8", "backslashreplace")
        return QuarantineRecord(
            device_no=item.device_no,
            username=item.username[:_MAX_TOPIC_CHARS],
            topic=shown[:_MAX_TOPIC_CHARS].replace("\0", "\\0"),
            reason=rejection.reason.value,
            detail=rejection.detail,
            key=key,
            size=len(payload),
            payload=sealed,
            received_s=message.received_s,
            via=message.via,
        )

    def _may_keep(self, rejection: Rejection, message: Message, device: DeviceRef) -> bool:
        """Whether a payload may be kept: only if it cannot hold an off-duty position."""
        if device is NOBODY:
            return False
        at_s = message.received_s if rejection.at_s is None else rejection.at_s
        return self._duty.slot_at((device.tenant_id, device.employee_id), at_s) is not None


def _needs(sorting: _Sorting) -> dict[Person, Span]:
    needs: dict[Person, Span] = {}
    owners = [(device.tenant_id, device.employee_id) for device in sorting.batch.devices]
    for item in sorting.items:
        decoded = item.decoded
        if isinstance(decoded, Ignored):
            continue
        at_s: float | None = decoded.fixed_s if isinstance(decoded, WireFix) else decoded.at_s
        if at_s is None:
            at_s = item.message.received_s
        owner = owners[item.device_no]
        low, high = needs.get(owner, (at_s, at_s))
        needs[owner] = (min(low, at_s), max(high, at_s))
    needs.pop((NOBODY.tenant_id, NOBODY.employee_id), None)
    return needs
