"""The wide lane through intake: plain positions of many phones, gated as columns."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np

from geo.distance import FloatArray
from geo.fix import IntArray
from ingest.duty import Timetable
from ingest.senders import Sender, Senders
from ingest.wire.plain import Plain, read_plain
from server.tracking.columns import VIA_CODES, FixTable
from server.tracking.records import DutySlot, Via

OffDuty = list[tuple[int, float]]


class Received(Protocol):
    """A message of a door, see `ingest.intake.Message`."""

    @property
    def topic(self) -> str | bytes: ...  # noqa: D102
    @property
    def payload(self) -> bytes: ...  # noqa: D102
    @property
    def received_s(self) -> float: ...  # noqa: D102
    @property
    def via(self) -> Via: ...  # noqa: D102
    @property
    def reason(self) -> object: ...  # noqa: D102


@dataclass(frozen=True, slots=True, eq=False)
class Bulk:
    """Plain positions of a batch, ordered by sender.

    Attributes
    ----------
    parts : each sender that has any, with where its rows begin and end.
    rest : numbers of the messages that have to be decoded one by one.
    """

    plain: Plain
    parts: list[tuple[Sender, int, int]]
    rest: list[int]

    @classmethod
    def read(cls, messages: Sequence[Received], senders: Senders) -> Self:
        """Read what is plain among messages, and note its instants for the duty gate."""
        is_plain = [sender.is_plain for sender in senders.listed]
        numbers = [senders.by_topic[message.topic].no for message in messages]
        chosen = [
            no
            for no, message in enumerate(messages)
            if is_plain[numbers[no]] and message.reason is None
        ]
        some = [messages[no] for no in chosen]
        owners = np.array([numbers[no] for no in chosen], dtype=np.int64)
        enrolled_s = np.array([s.entry.enrolled_s if s.entry else 0.0 for s in senders.listed])
        plain = read_plain(
            [message.payload for message in some],
            received_s=np.array([message.received_s for message in some], dtype=np.float64),
            enrolled_s=enrolled_s[owners],
        )
        vias = np.array([VIA_CODES[message.via] for message in some], dtype=np.int64)
        plain.rows["via"] = vias[plain.message_no]
        unread = np.ones(len(messages), dtype=bool)
        unread[chosen] = False
        unread[[chosen[no] for no in plain.rest]] = True
        owners = owners[plain.message_no]
        order = np.argsort(owners, kind="stable")
        starts = np.flatnonzero(np.diff(owners[order], prepend=-1))
        ends = np.append(starts[1:], len(owners)).tolist() if len(owners) else []
        listed = [senders.listed[no] for no in owners[order][starts].tolist()]
        plain = Plain(plain.rows[order], plain.raw[order], plain.message_no[order], plain.rest)
        found = cls(
            plain,
            list(zip(listed, starts.tolist(), ends, strict=True)),
            np.flatnonzero(unread).tolist(),
        )
        for (sender, _, _), low_s, high_s in zip(found.parts, *found.spans(), strict=True):
            sender.note(low_s)
            sender.note(high_s)
        return found

    def spans(self) -> tuple[list[float], list[float]]:
        """Return the first and the last instant of each part."""
        if not self.parts:
            return [], []
        starts = [start for _, start, _ in self.parts]
        fixed_s = self.plain.rows["fixed_s"]
        low_s, high_s = np.minimum.reduceat(fixed_s, starts), np.maximum.reduceat(fixed_s, starts)
        return low_s.tolist(), high_s.tolist()

    def gate(self) -> tuple[FixTable, OffDuty]:
        """Return the positions on duty, and device and time of receipt of the others.

        To be called once the gate is open.
        """
        rows = self.plain.rows
        slots: list[DutySlot] = []
        for (sender, start, end), low_s, high_s in zip(self.parts, *self.spans(), strict=True):
            rows["device_no"][start:end] = sender.device_no
            rows["slot_no"][start:end] = _slot_numbers(
                sender.timetable, rows["fixed_s"][start:end], (low_s, high_s), slots
            )
        on_duty = rows["slot_no"] >= 0
        if on_duty.all():
            return FixTable(rows, self.plain.raw, slots), []
        off = rows[~on_duty]
        off_duty = list(zip(off["device_no"].tolist(), off["received_s"].tolist(), strict=True))
        return FixTable(rows, self.plain.raw, slots).only(on_duty), off_duty


def _slot_numbers(
    timetable: Timetable | None,
    at_s: FloatArray,
    span: tuple[float, float],
    slots: list[DutySlot],
) -> IntArray | int:
    """Return which of `slots` each instant falls into, -1 for none; adds those that do."""
    if timetable is None:
        return -1
    first, last = (timetable.index_at(edge_s) for edge_s in span)
    if first == last:
        # Nearly always: everything of one phone in one batch is of one stretch of duty.
        return _number_of(timetable, first, slots)
    indexes = timetable.indexes_at(at_s)
    found = np.full(len(at_s), -1, dtype=np.int64)
    for index in np.unique(indexes).tolist():
        found[indexes == index] = _number_of(timetable, index, slots)
    return found


def _number_of(timetable: Timetable, index: int, slots: list[DutySlot]) -> int:
    slot = timetable.slots[index] if index >= 0 else None
    if slot is None:
        return -1
    slots.append(slot)
    return len(slots) - 1
