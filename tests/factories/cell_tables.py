"""Tables of radio cells as an operator imports them, and what a fleet taught."""

import io

from sqlalchemy import text

from geo.cell_table import COLUMNS
from server.cells.services import import_cells
from server.db.engine import make_engine, make_session_factory
from server.db.session import unit_of_work
from tests.factories.desk import Desk

ROWS = (
    *(f"LTE,460,0,9711,{n},,113.83,22.60,420,60,1,1700000000,1750000000,-90" for n in range(1, 4)),
    "NR,460,15,77,123456789,,113.9,22.6,300,9,1,1700000000,1750000000,-90",
    "CDMA,460,13844,9,77,,116.4,39.9,500,3,1,0,0,0",
    "LTE,460,0,9711,0,,113.83,22.60,420,60,1,1700000000,1750000000,-90",
    "GSM,310,410,5,9,,0,0,420,60,1,1700000000,1750000000,-90",
)


def bring(office: Desk, name: str, *rows: str) -> None:
    """Import a table of these rows."""
    engine = make_engine(office.urls.owner, pool_size=1)
    content = "\n".join([",".join(COLUMNS), *rows, ""]).encode()
    with unit_of_work(make_session_factory(engine), tenant_id=None) as session:
        import_cells(
            session,
            office.clock,
            io.BufferedReader(io.BytesIO(content)),
            source=name,
            file_name=f"{name}-460.csv.gz",
            imported_by="operator",
        )
    engine.dispose()


def teach(office: Desk) -> None:
    """Leave two learned cells of one network, three that wait in another."""
    engine = make_engine(office.urls.engine, pool_size=1)
    with engine.begin() as connection:
        for cell in (1, 2):
            connection.execute(
                text(
                    "INSERT INTO learned_cells VALUES (:tenant, 2460000, :cell, 9711, 113.8, 22.6,"
                    " 500, 40, 5, 5, :at, :at, :at)"
                ),
                {"tenant": office.alpha.id, "cell": cell, "at": office.clock.now()},
            )
        for reason, cells in (("few_devices", 1_234), ("few_days", 2)):
            connection.execute(
                text("INSERT INTO cell_waits VALUES (:tenant, 2460011, :reason, :cells, :at)"),
                {
                    "tenant": office.alpha.id,
                    "reason": reason,
                    "cells": cells,
                    "at": office.clock.now(),
                },
            )
    engine.dispose()
