"""The command `outpost`; each subcommand is imported when it is called.

So `outpost track` needs neither settings nor a database. A refusal is one line on standard
error and exit 2; a part that is down is one line and exit 1.
"""

import importlib
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import click

_COMMANDS: Mapping[str, tuple[str, str]] = {
    "track": ("geo.cli:track", "Reconstruct trips, stops and gaps from a file of fixes."),
    "presence": ("geo.cli:presence", "Judge presence at a post from a file of fixes."),
    "visit": ("geo.visits_cli:visit", "Judge whether a site was visited from a file of fixes."),
    "what-if": ("server.main.what_if:what_if", "Try another rule on a file or on past days."),
    "audit-claim": ("geo.claims_cli:audit", "Check a travel claim against a file of fixes."),
    "datum": ("geo.cli:datum", "Convert coordinates between WGS-84, GCJ-02 and BD-09."),
    "locate-cells": ("geo.cells_cli:locate", "Locate phones by radio cells from a cell file."),
    "decode": ("ingest.cli:decode", "Decode one message of a phone or platform."),
    "ingest": ("ingest.cli:ingest", "Run the MQTT consumer that stores fixes."),
    "gatekeeper": ("ingest.cli:gatekeeper", "Run the writer of the broker's password file."),
    "replay": ("ingest.cli:replay", "Send quarantined messages through again."),
    "engine": ("server.main.engine:engine", "Run the engine: presence, findings, days."),
    "web": ("server.main.serve:web", "Run the web process: pages and API."),
    "stream": ("server.main.serve:stream", "Run the stream process: live events."),
    "migrate": ("server.main.schema:migrate", "Bring the database to this version's schema."),
    "upkeep": ("server.main.schema:upkeep", "Make coming partitions, drop what is past retention."),
    "tenant": ("server.main.directory:tenant", "Add customer organisations."),
    "account": ("server.main.directory:account", "Add accounts and set passwords."),
    "device": ("server.main.directory:device", "Enrol, list and revoke phones."),
    "cells": ("server.main.cells:cells", "Import and list tables of radio cells."),
    "carrier": ("server.main.carriers:carrier", "Set up providers that locate phones and cells."),
    "employee": ("server.main.duty:employee", "Let people leave."),
    "excuse": ("server.main.duty:excuse", "Excuse people from their post; leave ends duty."),
    "basemap": ("server.main.basemap:basemap", "Choose the streets under an organisation's maps."),
    "import": ("server.main.paperwork:import_file", "Bring in people, places or a roster."),
    "export": ("server.main.paperwork:export_file", "Take out what an import would leave alone."),
    "policy": ("server.main.duty:policy", "Show and set thresholds."),
}


class LazyGroup(click.Group):
    """A group that knows its commands' names and helps, and imports one when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the table."""
        del ctx
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        del ctx
        if cmd_name not in _COMMANDS:
            return None
        module_name, attribute = _COMMANDS[cmd_name][0].split(":")
        try:
            command = getattr(importlib.import_module(module_name), attribute)
        except ModuleNotFoundError as error:
            if error.name != module_name:
                raise
            message = f"outpost {cmd_name} is not part of this installation"
            raise click.ClickException(message) from None
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table of commands without importing any."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in _COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="outpost", prog_name="outpost")
def commands() -> None:
    """Outpost: field-force location and attendance, from phone to map."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; the console script `outpost`."""
    sys.exit(run(arguments))


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    arguments : without the program's name; None for those of the process.

    Returns
    -------
    Exit status: 0 done, 1 a part is down, 2 wrong use, bad input or bad settings,
    130 interrupted.
    """
    try:
        answer: Any = commands.main(
            args=None if arguments is None else list(arguments),
            prog_name="outpost",
            standalone_mode=False,
        )
    except click.ClickException as error:
        error.show()
        return max(error.exit_code, 2)
    except click.exceptions.Exit as error:
        return int(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        return 130
    except BrokenPipeError:
        # The reader of our output left; there is nobody to tell.
        sys.stderr.close()
        return 0
    except Exception as error:
        status = _explained(error)
        if status is None:
            raise
        return status
    return answer if isinstance(answer, int) else 0


def _explained(error: Exception) -> int | None:
    # Looked up late: the pure commands do without these modules.
    from server.errors import OutpostError, Unavailable  # noqa: PLC0415

    if isinstance(error, OutpostError):
        click.echo(f"outpost: {error}", err=True)
        return 1 if isinstance(error, Unavailable) else 2
    outage = _outage(error)
    if outage is not None:
        click.echo(f"outpost: {outage}", err=True)
        return 1
    return None


def _outage(error: Exception) -> str | None:
    if "sqlalchemy" in sys.modules:
        from sqlalchemy.exc import OperationalError  # noqa: PLC0415

        if isinstance(error, OperationalError):
            lines = str(error.orig).strip().splitlines()
            return f"the database does not answer: {lines[0] if lines else 'no reason given'}"
    if "redis" in sys.modules:
        from redis.exceptions import ConnectionError as RedisDown  # noqa: PLC0415

        if isinstance(error, RedisDown):
            return f"Redis does not answer: {error}"
    return None
