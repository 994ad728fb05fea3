"""A constant offset between the sources of a phone, as the daily check leaves it."""

import json
from uuid import UUID

from sqlalchemy import text

from geo.verdict import format_utc
from server.db.engine import make_engine
from tests.factories.desk import NOON, Desk


def find_offset(office: Desk, device: UUID, **found: object) -> None:
    """Let the daily check say something about a device."""
    said = {
        "source": "wifi", "against": "gps", "datum": "gcj02", "offset_m": 540.2,
        "bearing_deg": 118.4, "pairs": 40, "places": 5, "agreeing": 0.97,
        "checked_at": format_utc(office.clock.now()), **found,
    }  # fmt: skip
    engine = make_engine(office.urls.ingest, pool_size=1)
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO device_health (tenant_id, device_id, seen_at, datum_check)"
                " VALUES (:tenant, :device, :at, :found) ON CONFLICT (tenant_id, device_id)"
                " DO UPDATE SET datum_check = excluded.datum_check"
            ),
            {
                "tenant": office.alpha.id,
                "device": device,
                "at": NOON,
                "found": json.dumps(said),
            },
        )
    engine.dispose()
