"""What the signs of person-days are made from, besides their fixes; nothing here commits."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from geo.forgery import Beside
from server.findings.rules import DayKey

_SHARED_AT_LEAST: Final = 4
_SHARING_AT_MOST: Final = 40
_MATES_AT_MOST: Final = 3
_MATES_LOOKED_AT: Final = 40
_MINUTES_AT_LEAST: Final = 4
_DELAYS_FROM: Final = 30

_Span = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class Relative:
    """Another person-day worth comparing with one.

    Attributes
    ----------
    shared : numbers of the fingerprint, or minutes in one cell, that both have; 0 when only
        an earlier fingerprint of the day had some.
    """

    day: DayKey
    span: _Span
    shared: int


# Both the fingerprint and the one it replaces: who was like the day before has to look again.
_SHARING: Final = text(
    f"""
    SELECT w.no, s.employee_id, s.work_on, s.starts_at, s.ends_at, s.shared
    FROM unnest(CAST(:numbers AS int[]), CAST(:tenants AS int[]), CAST(:people AS uuid[]),
            CAST(:dates AS date[]), CAST(:marks AS text[]), CAST(:former AS text[]))
        AS w (no, tenant_id, employee_id, work_on, marks, former)
    CROSS JOIN LATERAL (
        SELECT o.employee_id, o.work_on, o.starts_at, o.ends_at, (
                SELECT count(*) FROM unnest(o.fingerprint) AS m
                WHERE m = ANY (CAST(w.marks AS bigint[]))) AS shared
        FROM day_signs o
        WHERE o.tenant_id = w.tenant_id
          AND o.fingerprint && (CAST(w.marks AS bigint[]) || CAST(w.former AS bigint[]))
          AND (o.employee_id, o.work_on) <> (w.employee_id, w.work_on)
        ORDER BY shared DESC, o.work_on DESC, o.employee_id LIMIT {_SHARING_AT_MOST}) s
    ORDER BY w.no, s.shared DESC, s.work_on DESC, s.employee_id
    """  # noqa: S608  # constants
)
# People who stand still leave no mark of a way: those of one post are compared by the cells in
# which both were at the same minutes. A post may have thousands: of those forty are looked at,
# people of the same unit first, so that a day costs the same at any post. Each is
# counted by itself: joined at once, hours of the whole company may be read for them.
_MATES: Final = text(
    f"""
    SELECT w.no, m.employee_id, m.work_on, m.starts_at, m.ends_at, m.shared
    FROM unnest(CAST(:numbers AS int[]), CAST(:tenants AS int[]), CAST(:people AS uuid[]),
            CAST(:dates AS date[]), CAST(:posts AS uuid[]))
        AS w (no, tenant_id, employee_id, work_on, post_id)
    LEFT JOIN LATERAL (
        SELECT m.unit_id FROM memberships m
        WHERE m.tenant_id = w.tenant_id AND m.employee_id = w.employee_id
          AND m.during_on @> w.work_on LIMIT 1) own ON TRUE
    CROSS JOIN LATERAL (
        SELECT s.employee_id, s.work_on, s.starts_at, s.ends_at, "both".shared
        FROM (
            SELECT r.employee_id FROM roster_entries r
            WHERE r.tenant_id = w.tenant_id AND r.post_id = w.post_id AND r.on_date = w.work_on
              AND r.cancelled_at IS NULL AND r.employee_id <> w.employee_id
            GROUP BY r.employee_id
            ORDER BY own.unit_id IS DISTINCT FROM (
                SELECT m.unit_id FROM memberships m
                WHERE m.tenant_id = w.tenant_id AND m.employee_id = r.employee_id
                  AND m.during_on @> w.work_on LIMIT 1), r.employee_id
            LIMIT {_MATES_LOOKED_AT}) mate
        JOIN day_signs s ON s.tenant_id = w.tenant_id AND s.employee_id = mate.employee_id
            AND s.work_on = w.work_on
        CROSS JOIN LATERAL (
            SELECT count(*) AS shared
            FROM whereabouts a
            JOIN whereabouts b ON b.tenant_id = a.tenant_id AND b.employee_id = s.employee_id
                AND b.work_on = a.work_on AND b.hour_at = a.hour_at
            CROSS JOIN unnest(a.minutes, a.cells) AS here (at, cell)
            JOIN unnest(b.minutes, b.cells) AS there (at, cell)
                ON there.at = here.at AND there.cell = here.cell AND here.cell <> 0
            WHERE a.tenant_id = w.tenant_id AND a.employee_id = w.employee_id
              AND a.work_on = w.work_on) AS "both"
        WHERE "both".shared >= {_MINUTES_AT_LEAST}
        ORDER BY "both".shared DESC, s.employee_id LIMIT {_MATES_AT_MOST}) m
    ORDER BY w.no, m.shared DESC, m.employee_id
    """  # noqa: S608  # constants
)
_BESIDE: Final = text(
    f"""
    SELECT w.no, radio.checked, radio.impossible, radio.strained, radio.farthest_m,
        refused.ahead, delay.shares
    FROM unnest(CAST(:numbers AS int[]), CAST(:tenants AS int[]), CAST(:people AS uuid[]),
            CAST(:starts AS timestamptz[]), CAST(:ends AS timestamptz[]))
        AS w (no, tenant_id, employee_id, starts_at, ends_at)
    CROSS JOIN LATERAL (
        SELECT count(r."check") AS checked,
            count(*) FILTER (WHERE r."check" = 'impossible') AS impossible,
            count(*) FILTER (WHERE r."check" = 'strained') AS strained,
            max(CAST(r.check_detail ->> 'margin_m' AS float8))
                FILTER (WHERE r."check" = 'impossible') AS farthest_m
        FROM devices d JOIN radio_reports r ON r.tenant_id = d.tenant_id AND r.device_id = d.id
        WHERE d.tenant_id = w.tenant_id AND d.employee_id = w.employee_id
          AND r.fixed_at >= w.starts_at AND r.fixed_at < w.ends_at) radio
    CROSS JOIN LATERAL (
        SELECT count(*) AS ahead
        FROM devices d JOIN quarantine q ON q.tenant_id = d.tenant_id AND q.device_id = d.id
        WHERE d.tenant_id = w.tenant_id AND d.employee_id = w.employee_id
          AND q.reason = 'tst_future'
          AND q.received_at >= w.starts_at AND q.received_at < w.ends_at) refused
    CROSS JOIN LATERAL (
        SELECT CASE WHEN count(*) >= {_DELAYS_FROM} THEN percentile_disc(ARRAY[0.1, 0.9])
            WITHIN GROUP (ORDER BY extract(epoch FROM f.received_at - f.fixed_at)::float8)
            END AS shares
        FROM devices d JOIN fixes f ON f.tenant_id = d.tenant_id AND f.device_id = d.id
        WHERE d.tenant_id = w.tenant_id AND d.employee_id = w.employee_id AND f.via <> 'import'
          AND f.fixed_at >= w.starts_at AND f.fixed_at < w.ends_at) delay
    """  # noqa: S608  # constants
)


def relatives(
    session: Session,
    days: Sequence[DayKey],
    *,
    marks: Mapping[DayKey, Sequence[int]],
    former: Mapping[DayKey, Sequence[int]],
    posts: Mapping[DayKey, Sequence[UUID]],
) -> dict[DayKey, list[Relative]]:
    """Return the days worth comparing with each, likest first. Two statements.

    Parameters
    ----------
    marks : fingerprints, already stored.
    former : those they replaced.
    posts : where each day's duty was.

    Returns
    -------
    Older days, days of the same date and newer days of the tenant that share enough, forty a
    day at most; and up to three people of the same post who were where the person was, minute
    by minute.
    """
    found: dict[DayKey, list[Relative]] = defaultdict(list)
    parameters = _columns(days) | {
        "marks": [_literal(marks[day]) for day in days],
        "former": [_literal(former.get(day, ())) for day in days],
    }
    for no, employee_id, work_on, start, end, shared in session.execute(_SHARING, parameters):
        if shared >= _SHARED_AT_LEAST or former.get(days[no]):
            key = DayKey(days[no].tenant_id, employee_id, work_on)
            found[days[no]].append(Relative(key, (start, end), shared))
    at = [(no, post) for no, day in enumerate(days) for post in posts.get(day, ())]
    if at:
        rows = session.execute(
            _MATES,
            _columns([days[no] for no, _ in at])
            | {"numbers": [no for no, _ in at], "posts": [post for _, post in at]},
        )
        for no, employee_id, work_on, start, end, shared in rows:
            key = DayKey(days[no].tenant_id, employee_id, work_on)
            if all(one.day != key for one in found[days[no]]):
                found[days[no]].append(Relative(key, (start, end), shared))
    return found


def beside_of(session: Session, spans: Mapping[DayKey, _Span]) -> dict[DayKey, Beside]:
    """Return what cells, clocks and refusals say of each day. One statement."""
    days = list(spans)
    rows = session.execute(
        _BESIDE,
        _columns(days)
        | {
            "starts": [spans[day][0] for day in days],
            "ends": [spans[day][1] for day in days],
        },
    )
    return {
        days[row.no]: Beside(
            checked_cells=row.checked,
            impossible_cells=row.impossible,
            strained_cells=row.strained,
            farthest_m=row.farthest_m,
            refused_ahead=row.ahead,
            delays_s=None if row.shares is None else (row.shares[0], row.shares[1]),
        )
        for row in rows
    }


def _columns(days: Sequence[DayKey]) -> dict[str, Any]:
    people: list[UUID] = [day.employee_id for day in days]
    dates: list[date] = [day.work_on for day in days]
    return {
        "numbers": list(range(len(days))),
        "tenants": [day.tenant_id for day in days],
        "people": people,
        "dates": dates,
    }


def _literal(values: Sequence[int]) -> str:
    """Return an array as PostgreSQL reads it; arrays of unequal length cannot be unnested."""
    return "{" + ",".join(map(str, values)) + "}"
