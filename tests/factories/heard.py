"""Positions with the cells heard beside them, as ingest leaves them in the database."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from typing import Any
from uuid import UUID

from sqlalchemy import text

from server.db.geometry import point_sql
from tests.factories.company import Company

_keys = count(1)
_FIX = text(
    "INSERT INTO fixes (tenant_id, device_id, fixed_at, msg_key, employee_id, received_at, "
    "position, accuracy_m, source, flags, mock, via, raw) VALUES (:tenant, :device, :at, :key, "
    f":employee, :at, {point_sql(':lon', ':lat')}, :accuracy, :source, :flags, :mock, 'mqtt', '')"
)
_REPORT = text(
    "INSERT INTO radio_reports (tenant_id, device_id, fixed_at, msg_key, employee_id, "
    "received_at, cells, wifi, has_fix, via) VALUES (:tenant, :device, :at, :key, :employee, "
    ":at, CAST(:cells AS jsonb), '[]', :has_fix, 'mqtt')"
)


@dataclass(frozen=True, slots=True)
class Phone:
    """A phone of somebody."""

    employee_id: UUID
    device_id: UUID


def phone_of_somebody(acme: Company) -> Phone:
    """Hire a person with a phone."""
    employee_id = acme.hire()
    return Phone(employee_id, acme.give_phone(employee_id))


def lte(cell: int, **more: Any) -> dict[str, Any]:
    """Return a cell as a report keeps it."""
    return {"radio": "lte", "mcc": 460, "mnc": 0, "area": 9_711, "cell": cell, **more}


def hear(
    acme: Company,
    phone: Phone,
    at: datetime,
    cells: Sequence[dict[str, Any]],
    *,
    lon: float,
    lat: float,
    accuracy_m: float | None = 10.0,
    source: str = "gps",
    flags: int = 0,
    mock: bool | None = None,
) -> int:
    """Store one position and what was heard beside it; returns its key."""
    key = next(_keys)
    row = {
        "tenant": acme.tenant_id,
        "device": phone.device_id,
        "employee": phone.employee_id,
        "at": at,
        "key": key,
        "lon": lon,
        "lat": lat,
        "accuracy": accuracy_m,
        "source": source,
        "flags": flags,
        "mock": mock,
        "cells": json.dumps(list(cells)),
        "has_fix": True,
    }
    with acme.ingest_transaction() as session:
        session.execute(_FIX, row)
        session.execute(_REPORT, row)
    return key


def learn_by_hand(acme: Company, cell: int, *, lon: float, lat: float, samples: int = 90) -> None:
    """Put a learned cell into the table."""
    with acme.engine_transaction() as session:
        session.execute(
            text(
                "INSERT INTO learned_cells (tenant_id, network, cell, area, lon_deg, lat_deg, "
                "range_m, samples, devices, days, first_seen_at, last_seen_at, learned_at) "
                "VALUES (:tenant, 2460000, :cell, 9711, :lon, :lat, 500, :samples, 5, 5, "
                ":now, :now, :now)"
            ),
            {"tenant": acme.tenant_id, "cell": cell, "lon": lon, "lat": lat, "samples": samples,
             "now": acme.clock.now()},
        )  # fmt: skip
