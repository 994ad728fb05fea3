"""The topics of a batch: whose they are, how much came on each, when its owner was on duty."""

import math
from collections.abc import Callable, Iterable, Mapping

from sqlalchemy.orm import Session

from ingest.devices import DeviceEntry, Directory
from ingest.duty import DutyIndex, Span, Timetable
from ingest.ratelimit import RateLimiter
from ingest.topics import parse_topic
from ingest.wire import Reason, Rejection
from ingest.wire.formats import BY_ROOT, Decoder
from ingest.wire.instants import Envelope
from ingest.wire.owntracks import decode as decode_owntracks
from server.tracking.records import NOBODY, DeviceRef, DutySlot

_PLAIN_DECODER: Decoder = decode_owntracks


class Sender:
    """One topic of a batch."""

    __slots__ = (
        "count", "decode", "device", "device_no", "entry", "envelope", "granted", "high_s",
        "low_s", "no", "refusal", "timetable", "username",
    )  # fmt: skip

    def __init__(self, no: int, username: str, entry: DeviceEntry | None) -> None:
        self.no = no
        self.username = username
        self.entry = entry
        self.device: DeviceRef = NOBODY if entry is None else entry.ref
        self.decode = _PLAIN_DECODER
        self.device_no = 0
        self.count = 0
        self.granted = 0
        self.refusal: Rejection | None = None
        self.envelope = Envelope()
        self.low_s = math.inf
        self.high_s = -math.inf
        self.timetable: Timetable | None = None

    @property
    def is_plain(self) -> bool:
        """Whether all of its messages may be read together, for nothing but content can matter."""
        return (
            self.entry is not None
            and self.refusal is None
            and self.entry.revoked_at is None
            and self.granted >= self.count
            and self.decode is _PLAIN_DECODER
        )

    def note(self, at_s: float) -> None:
        """Note an instant the duty gate will be asked about."""
        self.low_s = min(self.low_s, at_s)
        self.high_s = max(self.high_s, at_s)

    def slot_at(self, at_s: float) -> DutySlot | None:
        """Return the duty of an instant noted before."""
        return None if self.timetable is None else self.timetable.slot_at(at_s)


class Senders:
    """The topics of one batch, numbered in order of appearance.

    Parameters
    ----------
    topics : one a message.
    find : makes the sender of a topic that appears for the first time.
    """

    def __init__(
        self, topics: Iterable[str | bytes], find: Callable[[int, str | bytes], Sender]
    ) -> None:
        self.by_topic: dict[str | bytes, Sender] = {}
        for topic in topics:
            sender = self.by_topic.get(topic)
            if sender is None:
                sender = self.by_topic[topic] = find(len(self.by_topic), topic)
            sender.count += 1
            sender.granted += 1
        self.listed = list(self.by_topic.values())

    def limit(self, limiter: RateLimiter, now_s: float) -> None:
        """Grant each as many messages as its device may send."""
        for sender in self.listed:
            sender.granted = limiter.grant(sender.username, sender.count, now_s)

    def sent(self) -> Mapping[str, int]:
        """Return how many messages each device sent; nobody's are not counted."""
        counts: dict[str, int] = {}
        for sender in self.listed:
            if sender.entry is not None:
                counts[sender.username] = counts.get(sender.username, 0) + sender.count
        return counts

    def open_gate(self, session: Session, duty: DutyIndex) -> list[DeviceRef]:
        """Let everybody know their duty as of this transaction; instants were noted before.

        Returns
        -------
        The devices, as `device_no` of the senders counts them from here on.
        """
        numbers: dict[DeviceRef, int] = {}
        needs: dict[DeviceRef, Span] = {}
        for sender in self.listed:
            device = sender.device
            sender.device_no = numbers.setdefault(device, len(numbers))
            if device is not NOBODY and sender.low_s <= sender.high_s:
                low_s, high_s = needs.get(device, (sender.low_s, sender.high_s))
                needs[device] = (min(low_s, sender.low_s), max(high_s, sender.high_s))
        duty.refresh(session, needs)
        for sender in self.listed:
            sender.timetable = duty.timetable(sender.device) if sender.device in needs else None
        return list(numbers)


def find_sender(session: Session, directory: Directory, no: int, topic: str | bytes) -> Sender:
    """Return who sends on a topic, with a reason to refuse everything that comes on it."""
    parsed = parse_topic(topic)
    if isinstance(parsed, Rejection):
        sender = Sender(no, "", None)
        sender.refusal = parsed
        return sender
    sender = Sender(no, parsed.username, directory.find(session, parsed.username))
    if sender.entry is None:
        sender.refusal = Rejection(Reason.DEVICE, "nobody has enrolled this device")
    elif parsed.kind == "cmd":
        sender.refusal = Rejection(Reason.FORBIDDEN, "a phone may not send commands")
    sender.decode = BY_ROOT[parsed.root].decode
    return sender
