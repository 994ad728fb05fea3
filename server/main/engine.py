"""The runner of the engine."""

import os
from collections.abc import Mapping
from datetime import datetime
from functools import partial

import click
from sqlalchemy.orm import Session, sessionmaker

from server.claims.auditor import Auditor
from server.claims.roads import RoadSource, roads_of
from server.claims.services import queue_audits
from server.clock import Clock
from server.findings.rules import DayKey
from server.logs import configure_logs
from server.settings import Settings
from server.tracking.process import Beside, run
from server.visits.services import queue_visits
from server.visits.verifier import Verifier


@click.command()
def engine() -> None:
    """Derive presence, findings and days; SIGTERM ends it after the batch under way."""
    settings = Settings.from_environ(os.environ, role="engine")
    configure_logs()
    run(settings, beside=partial(slices_beside, roads=roads_of(settings.roads)))


def slices_beside(
    sessions: sessionmaker[Session], clock: Clock, *, roads: RoadSource | None = None
) -> Beside:
    """Judge visits and check claims in the engine's process, whenever days are derived anew."""

    def on_derived(session: Session, since: Mapping[DayKey, datetime]) -> None:
        queue_visits(session, clock, since)
        queue_audits(session, clock, since)

    return Beside(
        workers=[Verifier(sessions, clock), Auditor(sessions, clock, roads=roads)],
        on_derived=on_derived,
    )
