"""The runner of the engine."""

import os

import click

from server.logs import configure_logs
from server.settings import Settings
from server.tracking.process import run


@click.command()
def engine() -> None:
    """Derive presence, findings and days; SIGTERM ends it after the batch under way."""
    settings = Settings.from_environ(os.environ, role="engine")
    configure_logs()
    run(settings)
