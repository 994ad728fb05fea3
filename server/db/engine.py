"""Engines and session factories; one of each a process."""

from typing import Any

from sqlalchemy import Engine, create_engine
from sqlalchemy.orm import Session, sessionmaker


def make_engine(
    url: str,
    *,
    pool_size: int = 5,
    statement_timeout_s: float = 15.0,
    application_name: str = "outpost",
) -> Engine:
    """Return an engine whose sessions speak UTC and cannot hang for ever.

    Parameters
    ----------
    url : `postgresql+psycopg://…`.
    pool_size : connections kept; as many again may be opened under load.
    statement_timeout_s : seconds after which the server cancels a statement.
    application_name : shown in `pg_stat_activity`.
    """
    return create_engine(
        url,
        **engine_options(
            pool_size=pool_size,
            statement_timeout_s=statement_timeout_s,
            application_name=application_name,
        ),
    )


def engine_options(
    *, pool_size: int, application_name: str, statement_timeout_s: float = 15.0
) -> dict[str, Any]:
    """Return the keyword arguments of `create_engine` behind `make_engine`."""
    options = (
        f"-c timezone=UTC -c statement_timeout={int(statement_timeout_s * 1000)} "
        "-c lock_timeout=5000 -c idle_in_transaction_session_timeout=60000"
    )
    return {
        "pool_size": pool_size,
        "max_overflow": pool_size,
        "pool_pre_ping": True,
        # Errors are logged, and parameters are positions and names.
        "hide_parameters": True,
        "connect_args": {
            "options": options,
            "application_name": application_name,
            "connect_timeout": 5,
            "keepalives_idle": 30,
        },
    }


def make_session_factory(engine: Engine) -> sessionmaker[Session]:
    """Return a factory of sessions that keep loaded values after commit."""
    return sessionmaker(engine, expire_on_commit=False)
