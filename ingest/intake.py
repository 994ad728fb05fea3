"""One way in for every door: decode, gate, flag, record; the caller commits.

Nothing a message contains can make this raise: what cannot be decoded becomes a row in
quarantine. What can raise is the database, and then nothing of the batch is stored.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import msgspec
import numpy as np
from sqlalchemy.orm import Session

from geo.fix import QualityFlag
from geo.policy import QualityPolicy
from ingest.attempts import Watch, watched
from ingest.bulk import Bulk, read_ahead
from ingest.datums import body_to_wgs84, fixes_to_wgs84
from ingest.devices import Directory
from ingest.duty import DutyIndex
from ingest.flags import Flagger
from ingest.quarantine import instants_told, seal_payload
from ingest.ratelimit import RateLimiter
from ingest.senders import Sender, Senders, find_sender
from ingest.surroundings import radio_record
from ingest.wire import (
    PLACE_EVENTS,
    Decoded,
    DeviceEvent,
    EventKind,
    Ignored,
    RadioScan,
    Reason,
    Rejection,
    WireFix,
)
from ingest.wire.instants import Envelope
from ingest.wire.owntracks import key_of
from ingest.wire.plain import Plain
from server.crypto import Vault
from server.tracking.columns import FixTable
from server.tracking.recording import record_fixes
from server.tracking.records import (
    Batch,
    EventRecord,
    FixRecord,
    QuarantineRecord,
    Recorded,
    Via,
)

_MAX_TOPIC_CHARS = 256
_PLACE_FIELDS = ("lon", "lat", "name")
_NO_TST = int(QualityFlag.NO_TST)
_REPEATS = 20
"""Batches without a duplicate before the next one is taken for new."""


class Message(msgspec.Struct, frozen=True, gc=False):
    """One message as a door received it.

    Attributes
    ----------
    received_s : epoch seconds of the server's clock.
    is_live : False when the time of receipt cannot stand for the time it was sent: retained,
        delivered again, taken out of an array or out of quarantine.
    reason : given by the door when the message must not be decoded any more.
    """

    topic: str | bytes
    payload: bytes
    received_s: float
    via: Via = Via.MQTT
    retained: bool = False
    is_live: bool = True
    reason: Reason | None = None
    detail: str = ""


def unread(message: Message, reason: Reason, detail: str) -> Message:
    """Return a message that goes to quarantine without being looked at."""
    return msgspec.structs.replace(message, reason=reason, detail=detail)


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a batch: counts for the log, fixes for the live map.

    `sent` counts messages by device; give it all back to `Intake.committed`.
    """

    recorded: Recorded
    batch: Batch
    sent: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class _Refused:
    """A rejection with the bytes that quarantine would keep, and the times they speak of."""

    rejection: Rejection
    payload: bytes
    instants: Sequence[float]


_Item = tuple[Message, Sender, WireFix | RadioScan | DeviceEvent | Ignored | _Refused]


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
        self._repeats = 0

    def take(
        self, session: Session, messages: Sequence[Message], ahead: Plain | None = None
    ) -> Taken:
        """Record a batch of messages in the session's transaction.

        Parameters
        ----------
        session : of `outpost_ingest`; commit before acknowledging.
        messages : any order, any mixture of devices.
        ahead : what `ingest.bulk.read_ahead` made of these messages, if it was asked.

        Raises
        ------
        psycopg.Error, sqlalchemy.exc.SQLAlchemyError : the database refused; roll back.
        """
        senders = Senders(
            [message.topic for message in messages], partial(find_sender, session, self._directory)
        )
        if self._limiter is not None and messages:
            senders.limit(self._limiter, messages[-1].received_s)
        bulk, items = self._read(messages, senders, ahead)
        batch = Batch(devices=senders.open_gate(session, self._duty))
        for item in items:
            self._sort(item, batch)
        plain, off_duty = bulk.gate()
        batch.off_duty += off_duty
        batch.table = FixTable.joined([plain, FixTable.of(batch.fixes)])
        batch.fixes = []
        fixes_to_wgs84(batch.table, senders.listed)
        batch.is_first = not self._repeats and _look_new(messages, batch.table)
        self._flagger.flag(batch.table, batch.devices)
        return Taken(record_fixes(session, batch), batch, senders.sent())

    def committed(self, taken: Taken, now_s: float) -> None:
        """Remember a batch for the next ones; not to be called for one that failed."""
        # Whoever sends again what is there will go on doing so for a while.
        self._repeats = _REPEATS if taken.recorded.duplicate else max(0, self._repeats - 1)
        if taken.batch.table is not None:
            self._flagger.remember(taken.batch.table, taken.batch.devices)
        if self._limiter is not None:
            for username, count in taken.sent.items():
                self._limiter.spend(username, count, now_s)

    def _read(
        self, messages: Sequence[Message], senders: Senders, ahead: Plain | None
    ) -> tuple[Bulk, list[_Item]]:
        """Decode messages: plain positions together, the others one by one.

        What was in hand when the process last died is looked at alone, so that it is known
        which message did it if it happens again.
        """
        watch = self._watch
        alone: list[Message] = []
        if watch is not None and watch.has_suspects:
            alone = [message for message in messages if watch.crashes(message)]
            if alone:
                messages = [message for message in messages if not watch.crashes(message)]
                ahead = None
        if ahead is None:
            with watched(watch, messages):
                self._look_at(messages)
                ahead = read_ahead(messages)
        bulk = Bulk.read(messages, senders, ahead)
        rest = [messages[no] for no in bulk.rest]
        items: list[_Item] = []
        if rest:
            with watched(watch, rest):
                items = [item for message in rest for item in self._items(message, senders)]
        for message in alone:
            with watched(watch, [message]):
                self._look_at([message])
                items += self._items(message, senders)
        return bulk, items

    def _look_at(self, messages: Sequence[Message]) -> None:
        if self._before_decode is not None:
            for message in messages:
                if message.reason is None:
                    self._before_decode(message)

    def _items(self, message: Message, senders: Senders) -> list[_Item]:
        """Decode one message, and note its instants for the duty gate."""
        sender = senders.by_topic[message.topic]
        items: list[_Item] = []
        for decoded in self._results(message, sender):
            result = _refused(message, decoded) if isinstance(decoded, Rejection) else decoded
            items.append((message, sender, result))
            _note_instants(sender, result, message.received_s)
        return items

    def _results(self, message: Message, sender: Sender) -> Sequence[Decoded]:
        if message.reason is not None:
            return [Rejection(message.reason, message.detail)]
        entry = sender.entry
        if sender.refusal is not None or entry is None:
            return [sender.refusal or Rejection(Reason.DEVICE, "")]
        if entry.revoked_at is not None and message.received_s > entry.revoked_at.timestamp():
            return [Rejection(Reason.DEVICE, "the device was revoked")]
        sender.granted -= 1
        if sender.granted < 0:
            return [Rejection(Reason.RATE, "more than a device may send")]
        received_s = message.received_s
        if sender.envelope.received_s != received_s:
            sender.envelope = Envelope(received_s, entry.username, entry.secret, entry.enrolled_s)
        try:
            return sender.decode(message.payload, sender.envelope)
        except Exception as error:  # noqa: BLE001 - no message may ever stop the others
            return [Rejection(Reason.DECODER, type(error).__name__)]

    def _sort(self, item: _Item, batch: Batch) -> None:
        """Put one result where it belongs; this is the gate."""
        message, sender, decoded = item
        if type(decoded) is WireFix or type(decoded) is RadioScan:
            no, received_s, via = sender.device_no, message.received_s, message.via
            slot = sender.slot_at(decoded.fixed_s)
            # A backlog without times may be of yesterday night, whoever is on duty now.
            untimed = decoded.flags & _NO_TST and not _is_live(message)
            if slot is None or untimed:
                batch.off_duty.append((no, received_s))
                return
            scan = no, decoded.fixed_s, decoded.key
            # The records of one scan bring the same position, each with other cells.
            is_fix = type(decoded) is WireFix and scan not in batch.scans
            if type(decoded) is WireFix and is_fix:
                record = FixRecord(no, decoded, received_s, decoded.flags, slot, via)
                batch.fixes.append(record)
                if not (decoded.cells or decoded.wifi):
                    return
                batch.scans.add(scan)
            batch.radio.append(radio_record(decoded, no, received_s, via, with_fix=is_fix))
        elif isinstance(decoded, _Refused):
            batch.quarantined.append(self._quarantined(message, sender, decoded))
        elif isinstance(decoded, DeviceEvent):
            _sort_event(message, sender, decoded, batch)
        else:
            batch.ignored.append((sender.device_no, message.received_s))

    def _quarantined(self, message: Message, sender: Sender, refused: _Refused) -> QuarantineRecord:
        rejection, payload = refused.rejection, refused.payload
        key = key_of(payload) if rejection.key is None else rejection.key
        sealed = None
        instants = refused.instants
        # It could hold an off-duty position, which nobody may keep.
        if instants and all(sender.slot_at(at_s) is not None for at_s in instants):
            sealed = seal_payload(
                self._vault,
                payload,
                tenant_id=sender.device.tenant_id,
                username=sender.username,
                key=key,
            )
        topic = message.topic
        shown = topic if isinstance(topic, str) else topic.decode("utf-8", "backslashreplace")
        return QuarantineRecord(
            device_no=sender.device_no,
            username=sender.username[:_MAX_TOPIC_CHARS],
            topic=shown[:_MAX_TOPIC_CHARS].replace("\0", "\\0"),
            reason=rejection.reason.value,
            detail=rejection.detail,
            key=key,
            size=len(payload),
            payload=sealed,
            received_s=message.received_s,
            via=message.via,
        )


def _refused(message: Message, rejection: Rejection) -> _Refused:
    payload = message.payload if rejection.raw is None else rejection.raw
    return _Refused(rejection, payload, instants_told(rejection, payload, message.received_s))


def _look_new(messages: Sequence[Message], fixes: FixTable) -> bool:
    """Whether nobody says that any of this was sent before, and no two are the same."""
    keys = fixes.rows["key"]
    return len(np.unique(keys)) == len(keys) and all(
        message.is_live and not message.retained for message in messages
    )


def _is_live(message: Message) -> bool:
    """Whether the time of receipt may stand for a time the message does not tell."""
    return message.is_live and not message.payload.lstrip().startswith(b"[")


def _note_instants(sender: Sender, result: object, received_s: float) -> None:
    if type(result) is WireFix or type(result) is RadioScan:
        sender.note(result.fixed_s)
    elif isinstance(result, _Refused):
        for at_s in result.instants:
            sender.note(at_s)
    elif isinstance(result, DeviceEvent):
        sender.note(received_s if result.at_s is None else result.at_s)


def _sort_event(message: Message, sender: Sender, event: DeviceEvent, batch: Batch) -> None:
    at_s = message.received_s if event.at_s is None else event.at_s
    slot = sender.slot_at(at_s)
    untimed = event.at_s is None and event.kind in PLACE_EVENTS
    if untimed or slot is None:
        batch.off_duty.append((sender.device_no, message.received_s))
        return
    body = body_to_wgs84(event.body, sender)
    if event.kind is EventKind.WAYPOINT:
        # People save their homes as waypoints; that one exists is all anybody may know.
        body = {name: value for name, value in body.items() if name not in _PLACE_FIELDS}
    batch.events.append(
        EventRecord(
            device_no=sender.device_no,
            kind=event.kind.value,
            at_s=at_s,
            key=event.key,
            body=body,
            received_s=message.received_s,
            via=message.via,
            lost=event.kind is EventKind.LAST_WILL,
            health=body if event.kind is EventKind.STATUS else None,
            slot=slot if event.kind is EventKind.LAST_WILL else None,
        )
    )
