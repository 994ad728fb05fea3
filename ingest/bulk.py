"""The wide lane through intake: plain positions of many phones, gated as columns."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np

from geo.distance import FloatArray
from geo.fix import IntArray
from ingest.duty import Timetable
from ingest.senders import Sender, Senders
from ingest.topics import ROOT
from ingest.wire.instants import ENROLMENT_SLACK_S
from ingest.wire.plain import Plain, read_plain
from server.tracking.columns import VIA_CODES, FixTable
from server.tracking.records import DutySlot, Via

OffDuty = list[tuple[int, float]]
_TOPICS = frozenset({f"{ROOT}/", f"{ROOT}/".encode()})
"""Beginnings of the topics that carry plain positions."""


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


def read_ahead(messages: Sequence[Received]) -> Plain:
    """Read the plain positions among messages, whoever sent them.

    Needs nothing but the messages, so it may be done before it is their turn.
    """
    chosen = [no for no, message in enumerate(messages) if message.topic[:10] in _TOPICS]
    some = [messages[no] for no in chosen]
    found = read_plain(
        [message.payload for message in some],
        received_s=np.array([message.received_s for message in some], dtype=np.float64),
    )
    vias = np.array([VIA_CODES[message.via] for message in some], dtype=np.int64)
    found.rows["via"] = vias[found.message_no]
    return Plain(found.rows, found.raw, np.array(chosen, dtype=np.int64)[found.message_no])


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
    def read(
        cls, messages: Sequence[Received], senders: Senders, ahead: Plain | None = None
    ) -> Self:
        """Read what is plain among messages, and note its instants for the duty gate.

        Parameters
        ----------
        ahead : what `read_ahead` made of the same messages; None to do so now.
        """
        plain = read_ahead(messages) if ahead is None else ahead
        owners = np.array([senders.by_topic[message.topic].no for message in messages], np.int64)
        is_plain = np.array([sender.is_plain for sender in senders.listed], dtype=bool)
        oldest_s = np.array(
            [s.entry.enrolled_s - ENROLMENT_SLACK_S if s.entry else 0.0 for s in senders.listed]
        )
        owner_no = owners[plain.message_no]
        fine = is_plain[owner_no] & (plain.rows["fixed_s"] >= oldest_s[owner_no])
        unread = np.ones(len(messages), dtype=bool)
        unread[plain.message_no] = False
        unread[plain.message_no[~fine]] = True
        unread[[no for no, message in enumerate(messages) if message.reason is not None]] = True
        chosen = np.flatnonzero(~unread[plain.message_no])
        chosen = chosen[np.argsort(owner_no[chosen], kind="stable")]
        owner_no = owner_no[chosen]
        plain = Plain(plain.rows[chosen], plain.raw[chosen], plain.message_no[chosen])
        starts = np.flatnonzero(np.diff(owner_no, prepend=-1))
        ends = np.append(starts[1:], len(owner_no)).tolist() if len(owner_no) else []
        listed = [senders.listed[no] for no in owner_no[starts].tolist()]
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
