"""How long what is kept is kept; runs daily with the owner's rights.

Classes, counted from when something happened:

- positions as measured, 30 days: fixes (dropped by week, `server.tracking.partitions`),
  fingerprints and signs of days, quarantined messages, device events (a transition carries a
  position), last positions, whereabouts by the minute, and the places and trips of a day's
  outline;
- what was concluded of a day, 1 year: intervals of presence and the sums of the outline;
- trials of other rules with what they found, 1 day;
- drafts of travel claims, 90 days after they were begun: no claim covers more days;
- findings with their versions and what people said of them, planned visits with their
  verdicts, and who asked where somebody was, 2 years; the places that answered, and where
  somebody stayed who was to visit a site, go with the positions;
- travel claims, 2 years after their last day, with what positions showed of them. Those that
  were paid stay for 10 years as they were claimed and decided, without what positions showed:
  vouchers of the tax law (税收征收管理法实施细则, art. 29);
- proposals to move pins, which follow from where people stayed, 30 days after they were made
  or decided; a dismissed one 1 year, so that the same place is not proposed again meanwhile.

A day whose positions are gone is sealed: it is never judged again, because the absence of
facts would be taken for the facts.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from sqlalchemy import Connection, text

from server.clock import Clock

RAW_RETENTION: Final = timedelta(days=30)
DERIVED_RETENTION: Final = timedelta(days=365)
FINDING_RETENTION: Final = timedelta(days=730)
TRIAL_RETENTION: Final = timedelta(days=1)
DRAFT_RETENTION: Final = timedelta(days=90)
VOUCHER_RETENTION: Final = timedelta(days=3_653)
# Dates begin up to 14 hours before UTC's, and shifts are reached into from before.
_EARLIEST_DATE: Final = timedelta(hours=16)


@dataclass(frozen=True, slots=True)
class RetentionReport:
    """How many rows one run deleted, and of how many days it took the places away."""

    device_events: int
    last_positions: int
    whereabouts: int
    days_stripped: int
    days: int
    intervals: int
    findings: int
    reviews: int
    answers: int = 0
    questions: int = 0
    carrier_places: int = 0
    carrier_requests: int = 0
    visit_places: int = 0
    visits: int = 0
    what_ifs: int = 0
    signs: int = 0
    claim_drafts: int = 0
    claim_checks: int = 0
    claims: int = 0
    pin_proposals: int = 0


def is_sealed(work_on: date, now: datetime) -> bool:
    """Tell whether facts of a work date may be gone already, so that it must stay as it is."""
    return work_on <= (now - RAW_RETENTION + _EARLIEST_DATE).date()


def forget_past_retention(connection: Connection, clock: Clock) -> RetentionReport:
    """Delete what is past its class, in the caller's transaction.

    Returns
    -------
    What was done; a second run at the same instant does nothing.
    """
    now = clock.now()
    limits = {
        "raw_at": now - RAW_RETENTION,
        "raw_on": (now - RAW_RETENTION).date(),
        "derived_on": (now - DERIVED_RETENTION).date(),
        "finding_on": (now - FINDING_RETENTION).date(),
        "finding_at": now - FINDING_RETENTION,
        "trial_at": now - TRIAL_RETENTION,
        "draft_at": now - DRAFT_RETENTION,
        "derived_at": now - DERIVED_RETENTION,
        "voucher_on": (now - VOUCHER_RETENTION).date(),
    }

    def done(statement: str) -> int:
        return connection.execute(text(statement), limits).rowcount

    return RetentionReport(
        # A clock that runs ahead keeps nothing longer.
        device_events=done("DELETE FROM device_events WHERE at < :raw_at OR received_at < :raw_at"),
        last_positions=done("DELETE FROM last_positions WHERE fixed_at < :raw_at"),
        whereabouts=done(
            "DELETE FROM whereabouts w USING tenants t WHERE w.tenant_id = t.id"
            " AND w.hour_at < CAST(:raw_at AS timestamptz) - interval '1 hour'"
        ),
        days=done("DELETE FROM person_days WHERE work_on < :derived_on"),
        days_stripped=done(
            "UPDATE person_days SET summary = summary #- '{trajectory,segments}'"
            " WHERE work_on < :raw_on AND summary -> 'trajectory' ? 'segments'"
        ),
        intervals=done("DELETE FROM presence_intervals WHERE work_on < :derived_on"),
        reviews=done(
            "DELETE FROM reviews r USING findings f WHERE f.tenant_id = r.tenant_id"
            " AND f.id = r.finding_id AND f.work_on < :finding_on"
        ),
        findings=done("DELETE FROM findings WHERE work_on < :finding_on"),
        answers=done(
            "UPDATE locate_requests SET answer = NULL, device_id = NULL, msg_key = NULL"
            " WHERE answer IS NOT NULL AND asked_at < :raw_at"
        ),
        questions=done("DELETE FROM locate_requests WHERE asked_at < :finding_at"),
        carrier_places=done(
            "UPDATE carrier_requests SET place = NULL, accuracy_m = NULL, fixed_at = NULL"
            " WHERE place IS NOT NULL AND asked_at < :raw_at"
        )
        # Of nobody, and younger than any setting lets an answer be used again.
        + done("DELETE FROM carrier_radio_answers WHERE answered_at < :raw_at"),
        carrier_requests=done("DELETE FROM carrier_requests WHERE asked_at < :finding_at")
        + done("DELETE FROM carrier_usage WHERE used_on < :derived_on"),
        visit_places=done(
            "UPDATE visit_verdicts d SET place = NULL FROM planned_visits v"
            " WHERE v.tenant_id = d.tenant_id AND v.id = d.visit_id"
            " AND d.place IS NOT NULL AND v.on_date < :raw_on"
        ),
        visits=_forget_visits(done),
        # What they found goes with them.
        what_ifs=done("DELETE FROM what_if_runs WHERE asked_at < :trial_at"),
        signs=done("DELETE FROM day_signs WHERE work_on < :raw_on"),
        claim_drafts=done(
            "DELETE FROM travel_claims WHERE state = 'draft' AND created_at < :draft_at"
        ),
        claim_checks=done(
            "DELETE FROM claim_checks k USING travel_claims c WHERE c.tenant_id = k.tenant_id"
            " AND c.id = k.claim_id AND c.last_on < :finding_on"
        ),
        claims=done(
            "DELETE FROM travel_claims WHERE last_on < CASE WHEN state IN ('approved', 'reduced')"
            " THEN CAST(:voucher_on AS date) ELSE CAST(:finding_on AS date) END"
            " AND state <> 'draft'"
        ),
        pin_proposals=done(
            "DELETE FROM pin_proposals WHERE coalesce(decided_at, proposed_at) <"
            " CASE WHEN state = 'dismissed' THEN CAST(:derived_at AS timestamptz)"
            " ELSE CAST(:raw_at AS timestamptz) END"
        ),
    )


def _forget_visits(done: Callable[[str], int]) -> int:
    done(
        "DELETE FROM visit_verdicts d USING planned_visits v WHERE v.tenant_id = d.tenant_id"
        " AND v.id = d.visit_id AND v.on_date < :finding_on"
    )
    return done("DELETE FROM planned_visits WHERE on_date < :finding_on")
