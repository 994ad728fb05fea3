"""The command `outpost visit`: fixes and a site in, a verdict out, no server."""

import click

from geo import ALGORITHM_VERSION
from geo.cli import (
    OneLineCommand,
    datum_option,
    file_argument,
    one_line_errors,
    policy_option,
    read_columns,
    read_policy,
    read_window,
    thresholds_of,
    write_answer,
)
from geo.crs import Datum, convert
from geo.errors import UnreadableInput
from geo.quality import flag_series
from geo.visits import Site, VisitType, verify_visit


@click.command(cls=OneLineCommand, epilog=thresholds_of("visit", "track", "quality"))
@file_argument
@click.option("--site", required=True, metavar="LON,LAT", help="The pin, in degrees, as --datum.")
@click.option("--radius", required=True, type=float, metavar="M", help="Metres: 20 to 5000.")
@click.option(
    "--window", "window_text", required=True, metavar="START/END",
    help="When the visit was planned, ISO 8601 with zone.",
)  # fmt: skip
@click.option(
    "--type", "kind", type=click.Choice([t.value for t in VisitType]),
    default=VisitType.REGULAR.value, show_default=True, help="Decides the shortest stay.",
)  # fmt: skip
@datum_option
@policy_option
@one_line_errors
def visit(
    file: str,
    *,
    site: str,
    radius: float,
    window_text: str,
    kind: str,
    datum: str,
    policy_file: str | None,
) -> None:
    """Judge whether one person visited a site.

    FILE is .jsonl (OwnTracks), .csv, .gpx or .plt, also .gz; - reads standard input.
    Times are UTC, positions WGS-84 longitude and latitude in degrees, lengths metres,
    durations seconds.
    """
    policy = read_policy(policy_file)
    pin = _site(site, radius, Datum(datum))
    columns = flag_series(read_columns(file, datum), policy=policy.quality)
    found = verify_visit(
        columns, pin, read_window(window_text), kind=VisitType(kind), policy=policy
    )
    write_answer(
        {
            "verdict": found.verdict,
            "arrived_at": found.arrived_at,
            "left_at": found.left_at,
            "dwell_s": found.dwell_s,
            "nearest_m": found.nearest_m,
            "accuracy_m": found.accuracy_m,
            "reasons": found.reasons,
            "evidence": found.evidence,
            "algorithm_version": ALGORITHM_VERSION,
            "policy": policy.to_json(),
        }
    )


def _site(text: str, radius_m: float, datum: Datum) -> Site:
    try:
        lon, lat = (float(part) for part in text.split(","))
    except ValueError:
        raise UnreadableInput("bad_pair", f"--site {text[:60]!r} is not LON,LAT") from None
    if not (-180.0 <= lon <= 180.0 and -90.0 <= lat <= 90.0):
        raise UnreadableInput("range", f"--site: lon {lon} lat {lat} is not on Earth")
    if not 20.0 <= radius_m <= 5_000.0:  # also refuses NaN
        raise UnreadableInput("range", f"--radius {radius_m:g} is not between 20 and 5000 metres")
    lons, lats = convert([lon], [lat], source=datum, target=Datum.WGS84)
    return Site(float(lons[0]), float(lats[0]), radius_m)
