"""Places scans and compares positions with cells, beside the engine's worker in its process.

In the engine and not in the daily upkeep: a phone without GPS should be on the map within
seconds. Any number may run, since each takes what no other holds, and a thread of its own
waits for services that take their time.
"""

import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from sqlalchemy.orm import Session

from geo.fix import Source
from server.carriers.queries import geolocate_changes
from server.carriers.services import CarrierFix, CarrierRefusal, Desk, RefusalCode, geolocate
from server.db.rounds import Rounds
from server.db.session import unit_of_work
from server.people.queries import tenants
from server.tracking.crosscheck import check_positions, look_again
from server.tracking.live import LiveEvent, LivePublisher, position_event
from server.tracking.placing import Placed, Shown, record_placed
from server.tracking.resolving import place_by_tables, versions_of
from server.tracking.scans import (
    Scan,
    claim_again,
    claim_one,
    claim_untried,
    note_tries,
    release,
)

POLL_S: Final = 1.0
AGAIN_EVERY_S: Final = 30.0
_LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FINAL: Final = frozenset(
    {
        RefusalCode.NO_PROVIDER,
        RefusalCode.NOT_FOUND,
        RefusalCode.IP_ONLY,
        RefusalCode.NOT_UNDERSTOOD,
    }
)
"""Answers that only another table or another setting changes."""


class Resolver(Rounds):
    """Places scans until stopped.

    Parameters
    ----------
    desk : of the engine's role; its clock decides what is due.
    publisher : the live feed; None publishes nothing.
    at_once : scans a transaction.
    patience_s : how long services are asked in one round; a slow one must not keep the scans
        of other tenants waiting.
    """

    def __init__(
        self,
        desk: Desk,
        publisher: LivePublisher | None = None,
        *,
        at_once: int = 100,
        patience_s: float = 20.0,
    ) -> None:
        super().__init__("resolver", poll_s=POLL_S)
        self._desk = desk
        self._publisher = publisher
        self._at_once = at_once
        self._patience_s = patience_s
        self._again_at = time.monotonic()
        self._known: dict[int, int] = {}

    def run_once(self) -> int:
        """Look at what is new, every half minute again at the rest; returns how much there was."""
        busy = self.place() + self.compare()
        if time.monotonic() >= self._again_at:
            # A full batch means that more may wait; the newest messages still go first.
            full = self.run_again() >= self._at_once
            self._again_at = time.monotonic() + (0.0 if full else AGAIN_EVERY_S)
            busy += full
        return busy

    def place(self) -> int:
        """Look at scans nobody looked at; returns how many there were."""
        with unit_of_work(self._desk.sessions, tenant_id=None) as session:
            scans = claim_untried(session, limit=self._at_once)
            moved, rest = self._by_tables(session, scans)
        self._publish(moved)
        self._by_services(rest)
        return len(scans)

    def run_again(self) -> int:
        """Look again at scans for which something changed; returns how many there were."""
        with unit_of_work(self._desk.sessions, tenant_id=None) as session:
            known = versions_of(session, [tenant.id for tenant in tenants(session)])
            changes, now = geolocate_changes(session), self._desk.clock.now()
            scans = claim_again(
                session,
                # A change from a clock ahead of ours must not look new for ever.
                tenants={t: (v, min(changes.get(t, _LONG_AGO), now)) for t, v in known.items()},
                now=now,
                limit=self._at_once,
            )
            moved, rest = self._by_tables(session, scans)
        self._publish(moved)
        self._by_services(rest)
        self._compare_again(known)
        return len(scans)

    def compare(self) -> int:
        """Compare positions with the cells heard beside them; returns how many waited."""
        with unit_of_work(self._desk.sessions, tenant_id=None) as session:
            return check_positions(session, self._desk.clock)

    def _compare_again(self, known: dict[int, int]) -> None:
        """Put positions back in line that could not be judged before cells became known."""
        grown = [each for each, version in known.items() if version > self._known.get(each, 0)]
        for tenant_id in grown:
            with unit_of_work(self._desk.sessions, tenant_id=None) as session:
                look_again(session, tenant_id=tenant_id, now=self._desk.clock.now())
        self._known = known

    def _by_tables(self, session: Session, scans: Sequence[Scan]) -> tuple[list[Shown], list[Scan]]:
        """Place what tables can place; the rest is marked as being asked about."""
        if not scans:
            return [], []
        now = self._desk.clock.now()
        versions = versions_of(session, [scan.tenant_id for scan in scans])
        found = place_by_tables(session, scans, now=now)
        placed = [(s, p) for s, p in zip(scans, found, strict=True) if p is not None]
        moved = record_placed(session, placed, now=now)
        rest = [s for s, p in zip(scans, found, strict=True) if p is None]
        asking = geolocate_changes(session)
        ask = [scan for scan in rest if scan.tenant_id in asking and any(scan.question())]
        # Should this process die while it asks, the scans come up again by themselves.
        note_tries(session, ask, None, now=now)
        note_tries(session, [scan for scan in rest if scan not in ask], versions, now=now)
        return moved, ask

    def _by_services(self, scans: Sequence[Scan]) -> None:
        """Ask about each scan; what there is no time for is left to the next round."""
        until = time.monotonic() + self._patience_s
        for no, scan in enumerate(_in_turn(scans)):
            if self._stopped.is_set() or (no and time.monotonic() > until):
                rest = _in_turn(scans)[no:]
                with unit_of_work(self._desk.sessions, tenant_id=None) as session:
                    release(session, rest)
                return
            cells, networks = scan.question()
            said = geolocate(self._desk, tenant_id=scan.tenant_id, cells=cells, networks=networks)
            self._publish(self._settle(scan, said))

    def _settle(self, scan: Scan, said: CarrierFix | CarrierRefusal) -> list[Shown]:
        now = self._desk.clock.now()
        with unit_of_work(self._desk.sessions, tenant_id=None) as session:
            mine = claim_one(session, scan)
            if mine is None:
                return []
            if isinstance(said, CarrierFix):
                placed = Placed(
                    lon_deg=said.lon_deg,
                    lat_deg=said.lat_deg,
                    accuracy_m=said.accuracy_m,
                    source=Source.LBS,
                    by=f"carrier:{said.provider}",
                )
                return record_placed(session, [(mine, placed)], now=now)
            if said.code in _FINAL:
                versions = versions_of(session, [scan.tenant_id])
                note_tries(session, [mine], versions, now=now)
            return []

    def _publish(self, moved: Sequence[Shown]) -> None:
        """Tell the live map; positions of the running shift only."""
        now = self._desk.clock.now()
        events = [
            _event(each.scan, each.placed)
            for each in moved
            if each.duty_from_at <= each.scan.fixed_at < each.until_at and now < each.until_at
        ]
        if events and self._publisher is not None:
            self._publisher.publish(events)


def _in_turn(scans: Sequence[Scan]) -> list[Scan]:
    """Return scans so that tenants take turns, each with its newest first."""
    turns: Counter[int] = Counter()
    placed = []
    for no, scan in enumerate(scans):
        placed.append((turns[scan.tenant_id], no, scan))
        turns[scan.tenant_id] += 1
    return [scan for _turn, _no, scan in sorted(placed, key=lambda each: each[:2])]


def _event(scan: Scan, placed: Placed) -> LiveEvent:
    return position_event(
        tenant_id=scan.tenant_id,
        employee_id=scan.employee_id,
        lon_deg=placed.lon_deg,
        lat_deg=placed.lat_deg,
        accuracy_m=placed.accuracy_m,
        fixed_at=scan.fixed_at,
        speed_mps=None,
        course_deg=None,
        battery_pct=scan.battery_pct,
        source=placed.source.value,
    )
