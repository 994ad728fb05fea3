"""Whether this process lives, whether it can serve, and its counts.

`/livez` depends on nothing. `/readyz` says one word; the reason goes to the log. Counts
are for the machine itself: a request that came through a proxy gets 404.
"""

import logging
from collections import Counter
from datetime import timedelta
from importlib.resources import as_file, files
from ipaddress import ip_address

from alembic.config import Config
from alembic.script import ScriptDirectory
from flask import Blueprint, Flask, Response, current_app, request
from redis.exceptions import RedisError
from sqlalchemy import select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from server.audit.services import record_security_event
from server.db.session import enter_tenant
from server.db.tables import tenants
from server.errors import NotFound
from server.http.context import runtime, transaction_without_tenant
from server.http.markers import public
from server.http.requests import is_quiet
from server.tracking.health import OUTCOMES, engine_age, ingest_age, ingest_health, ledger_today
from server.tracking.scans import count_scans

blueprint = Blueprint("health", __name__, template_folder="templates")

MAX_INGEST_AGE_S = 60.0
MAX_ENGINE_AGE_S = 120.0
"""A worker beats between two batches, and a large batch may take its time."""
_SCANS_OF = timedelta(days=1)
_EXTENSION = "outpost-health"
_NO_TENANT = 0
_log = logging.getLogger(__name__)


def install(app: Flask) -> None:
    """Register the pages and count all other answers."""
    app.extensions[_EXTENSION] = code_revision()
    app.register_blueprint(blueprint)
    app.after_request(_count)


def code_revision() -> str:
    """Return the newest migration that this code brings."""
    with as_file(files("server") / "migrations") as scripts:
        config = Config()
        config.set_main_option("script_location", str(scripts))
        head = ScriptDirectory.from_config(config).get_current_head()
    assert head is not None
    return head


@blueprint.get("/livez")
@public("a supervisor process asks whether this one is alive; the answer holds nothing")
def alive() -> Response:
    """Say that the process answers."""
    return Response("ok\n", mimetype="text/plain")


@blueprint.get("/readyz")
@public("a balancer asks whether to send requests here; the answer is one word")
def ready() -> Response:
    """Say whether requests can be served; looks at database, schema, Redis, ingest, engine."""
    reason = _unready_because()
    if reason is None:
        return Response("ready\n", mimetype="text/plain")
    _log.warning("unready: %s", reason)
    return Response("unready\n", status=503, mimetype="text/plain")


@blueprint.get("/metrics")
@public("counts without persons, answered to the machine itself only")
def metrics() -> Response:
    """Show counts in the text form of Prometheus.

    What ingest did is read from the database, so that it counts for all its processes; the
    ledger's figures begin at 0 each day (UTC); scans without a place are those of 24 hours.
    """
    if not _is_local():
        raise NotFound
    lines = [f"outpost_web_{name} {value}" for name, value in runtime().counters.totals().items()]
    lines += [f"outpost_ingest_{name} {value}" for name, value in _ingest_figures().items()]
    return Response("\n".join(lines) + "\n", mimetype="text/plain")


def _ingest_figures() -> dict[str, float]:
    sums: Counter[str] = Counter(dict.fromkeys(OUTCOMES, 0))
    unplaced = 0
    with transaction_without_tenant() as session:
        health = ingest_health(session)
        # One wall after the other: no role of this process sees two tenants at once.
        for tenant_id in session.scalars(select(tenants.c.id)).all():
            enter_tenant(session, tenant_id=tenant_id)
            sums.update(ledger_today(session))
            scans = count_scans(session, since_at=runtime().clock.now() - _SCANS_OF)
            unplaced += scans.waiting + scans.unplaced
    figures: dict[str, float] = {f"today_{name}": sums[name] for name in OUTCOMES}
    figures["scans_without_place"] = unplaced
    if health is not None:
        figures |= {
            "last_commit_age_seconds": round(health.age_s, 3),
            "lag_seconds": round(health.lag_s, 3),
            "waiting": health.waiting,
        }
        if health.broker_dropped is not None:
            figures["broker_dropped"] = health.broker_dropped
    return figures


def _unready_because() -> str | None:
    revision = current_app.extensions[_EXTENSION]
    try:
        runtime().redis.ping()
        with transaction_without_tenant() as session:
            found = session.scalar(text("SELECT version_num FROM alembic_version"))
            if found != revision:
                return f"schema {found}, code {revision}"
            _probe_writing(session)
            age, engine_s = ingest_age(session), engine_age(session)
    except (SQLAlchemyError, RedisError) as error:
        return type(error).__name__
    if age is not None and age > MAX_INGEST_AGE_S:
        return f"ingest committed {age:.0f} s ago"
    if engine_s is not None and engine_s > MAX_ENGINE_AGE_S:
        return f"the engine was last seen {engine_s:.0f} s ago"
    return None


def _probe_writing(session: Session) -> None:
    with session.begin_nested() as point:
        session.execute(text("SELECT set_config('app.tenant', '0', true)"))
        record_security_event(session, tenant_id=_NO_TENANT, kind="write_probe")
        point.rollback()


def _is_local() -> bool:
    if any(name in request.headers for name in ("X-Forwarded-For", "Forwarded", "X-Real-Ip")):
        return False
    try:
        return ip_address(request.remote_addr or "").is_loopback
    except ValueError:
        return False


def _count(response: Response) -> Response:
    if not is_quiet(request.endpoint):
        counters = runtime().counters
        counters.add(f"responses_{response.status_code // 100}xx")
        if response.status_code in {401, 403, 429}:
            counters.add(f"refused_{response.status_code}")
    return response
