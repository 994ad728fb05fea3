"""The command that runs the engine."""

import os

import click

from server.http.logs import configure_logs
from server.settings import Settings
from server.tracking.process import run


@click.command()
def engine() -> None:
    """Run one worker of the engine until SIGTERM; start several to use more cores."""
    configure_logs()
    run(Settings.from_environ(os.environ, role="engine"))
