"""Find phones whose sources lie apart by a constant offset, and say so on the device.

Run daily by upkeep. Nothing is converted by itself: somebody looks, and states the datum of
the device (`server.people.datums`).
"""

import json
from collections.abc import Iterator
from datetime import timedelta
from itertools import groupby
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.orm import Session

from geo.datum_offset import DatumOffset, OffsetPolicy, find_datum_offset
from geo.fix import SOURCES, FixArray, Source
from geo.verdict import format_utc
from server.clock import Clock
from server.db.geometry import lat_sql, lon_sql

WINDOW: Final = timedelta(days=7)
MAX_FIXES: Final = 5_000
"""So many of the newest fixes of a phone are enough."""
_CODES: Final = {source.value: code for code, source in enumerate(SOURCES)}
_NUMBERS: Final = f"{lon_sql('f.position')} AS lon, {lat_sql('f.position')} AS lat"
# Phones of one source, by far the most, cost one group; only the others are read. What came
# before somebody stated the datum was converted otherwise and says nothing about it.
_FIXES: Final = text(
    f"""
    WITH mixed AS (
        SELECT f.tenant_id, f.device_id, greatest(:since, max(d.datum_stated_at)) AS since
        FROM fixes f JOIN devices d ON d.tenant_id = f.tenant_id AND d.id = f.device_id
        WHERE f.fixed_at > :since AND f.accuracy_m <= :accuracy_m
        GROUP BY f.tenant_id, f.device_id HAVING count(DISTINCT f.source) > 1)
    SELECT m.tenant_id, m.device_id, f.* FROM mixed m CROSS JOIN LATERAL (
        SELECT extract(epoch FROM f.fixed_at)::float8 AS fixed_s, f.msg_key, f.accuracy_m,
            f.speed_mps, f.source, f.flags, {_NUMBERS}
        FROM fixes f
        WHERE f.tenant_id = m.tenant_id AND f.device_id = m.device_id AND f.fixed_at > m.since
          AND f.accuracy_m <= :accuracy_m
        ORDER BY f.fixed_at DESC LIMIT {MAX_FIXES}) f
    ORDER BY m.tenant_id, m.device_id
    """  # noqa: S608  # constants
)
_SAY: Final = text(
    "UPDATE device_health SET datum_check = CAST(:said AS jsonb) "
    "WHERE tenant_id = :tenant_id AND device_id = :device_id"
)
_CLEAR: Final = text(
    "UPDATE device_health SET datum_check = NULL WHERE datum_check IS NOT NULL AND NOT "
    "(tenant_id, device_id) IN (SELECT * FROM unnest(CAST(:tenants AS int[]), "
    "CAST(:devices AS uuid[])))"
)


def check_datums(session: Session, clock: Clock, *, policy: OffsetPolicy | None = None) -> int:
    """Look at the last week of every phone that reports from several sources.

    What is found stands in `device_health.datum_check` as `{source, against, datum, offset_m,
    bearing_deg, pairs, places, agreeing, checked_at}`, and is taken off once sources agree.

    Parameters
    ----------
    session : of the owner; inside no tenant.

    Returns
    -------
    How many phones stand out. Memory is bounded by the fixes of one phone.
    """
    policy = policy or OffsetPolicy()
    now = clock.now()
    found: list[tuple[Any, DatumOffset]] = []
    for device, fixes in _by_device(session, clock, policy):
        offset = find_datum_offset(fixes, policy=policy)
        found += [] if offset is None else [(device, offset)]
    for (tenant_id, device_id), offset in found:
        said = {
            "source": offset.source.value,
            "against": offset.against.value,
            "datum": None if offset.datum is None else offset.datum.value,
            "offset_m": offset.offset_m,
            "bearing_deg": offset.bearing_deg,
            "pairs": offset.pairs,
            "places": offset.places,
            "agreeing": offset.agreeing,
            "checked_at": format_utc(now),
        }
        session.execute(
            _SAY, {"said": json.dumps(said), "tenant_id": tenant_id, "device_id": device_id}
        )
    session.execute(
        _CLEAR,
        {
            "tenants": [tenant_id for (tenant_id, _), _ in found],
            "devices": [device_id for (_, device_id), _ in found],
        },
    )
    return len(found)


def _by_device(
    session: Session, clock: Clock, policy: OffsetPolicy
) -> Iterator[tuple[Any, FixArray]]:
    rows = session.execute(
        _FIXES,
        {"since": clock.now() - WINDOW, "accuracy_m": policy.max_accuracy_m},
        execution_options={"yield_per": 5_000},
    )
    unknown = SOURCES.index(Source.UNKNOWN)
    for device, group in groupby(rows, key=lambda row: (row.tenant_id, row.device_id)):
        listed = list(group)
        yield (
            device,
            FixArray.from_arrays(
                epoch_s=[row.fixed_s for row in listed],
                lon_deg=[row.lon for row in listed],
                lat_deg=[row.lat for row in listed],
                accuracy_m=[row.accuracy_m for row in listed],
                speed_mps=[float("nan") if r.speed_mps is None else r.speed_mps for r in listed],
                source=[_CODES.get(row.source, unknown) for row in listed],
                flags=[row.flags for row in listed],
                keys=[str(row.msg_key) for row in listed],
            ),
        )
