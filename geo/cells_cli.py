"""The command `outpost locate-cells`: geolocate requests in, answers out, no server."""

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any

import click

from geo.cell_files import CellFile, read_cell_file
from geo.cell_footprint import CellPolicy
from geo.cell_identity import CellId, CellRefusal
from geo.cells import locate_cells
from geo.cli import (
    BadInput,
    OneLineCommand,
    datum_option,
    one_line_errors,
    policy_option,
)
from geo.crs import Datum
from geo.errors import UnreadableInput
from geo.files import read_bytes, read_text
from geo.fix import to_epoch_s
from geo.geolocate import answer, read_request, wants_area
from geo.verdict import canonical_json, parse_instant


def _thresholds() -> str:
    shown = []
    for f in fields(CellPolicy):
        value = getattr(CellPolicy(), f.name)
        text = (
            ", ".join(f"{k} {v:g}" for k, v in value.items())
            if isinstance(value, Mapping)
            else f"{value:g}"
        )
        shown.append(f"  {f.name} = {text}")
    return "\n".join(
        [
            "\b",
            'Thresholds under "cells" of a policy (names carry the unit; --policy FILE overrides):',
            *shown,
        ]
    )


@click.command(cls=OneLineCommand, epilog=_thresholds())
@click.argument("cells_file", metavar="CELLS.csv")
@click.option("--as-of", metavar="TIME", help="Old surveys weigh less [default: the newest row].")
@datum_option
@policy_option
@one_line_errors
def locate(cells_file: str, *, as_of: str | None, datum: str, policy_file: str | None) -> None:
    """Locate phones by the radio cells in geolocate requests, one JSON object a line.

    CELLS.csv is a cell file of OpenCelliD or MLS, also .gz. Requests come from standard
    input. Each is answered on its own line with WGS-84 degrees and the metres of a circle
    that holds the phone in 95 of 100 cases; "fallback":"lacf" marks the answer of a location
    area, "error" that of nothing known.
    """
    policy = CellPolicy() if policy_file is None else CellPolicy.from_json(read_text(policy_file))
    table = read_cell_file(read_bytes(cells_file), datum=Datum(datum), policy=policy)
    now_s = table.newest_s if as_of is None else to_epoch_s(parse_instant(as_of))
    # All are read before the first is answered: a bad line leaves no half of an answer.
    for request in list(_requests()):
        click.echo(canonical_json(_located(request, table, now_s, policy)))
    for reason, count in sorted(table.rejected.items()):
        click.echo(f"outpost: {cells_file}: {count} rows left out: {reason}", err=True)


def _requests() -> Iterator[dict[str, Any]]:
    for number, line in enumerate(sys.stdin.buffer, 1):
        if not line.strip():
            continue
        try:
            request = json.loads(line)
        except (ValueError, RecursionError):
            raise BadInput(f"line {number} of the requests is not JSON") from None
        try:
            read_request(request)
        except UnreadableInput as error:
            raise BadInput(f"line {number} of the requests: {error.detail}") from None
        yield request


def _located(
    request: dict[str, Any], table: CellFile, now_s: float, policy: CellPolicy
) -> dict[str, Any]:
    seen = read_request(request)
    names: list[CellId] = []
    for one in seen:
        found = one.identities()
        names += () if isinstance(found, CellRefusal) else found
    place = locate_cells(
        seen,
        records=table.records_of(names),
        areas=table.areas_of(names) if wants_area(request) else (),
        now_s=now_s,
        policy=policy,
    )
    return answer(place)
