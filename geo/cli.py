"""Commands on files: track, presence and datum. File in, JSON out, no server."""

import csv
import json
import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from functools import wraps
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, ParamSpec, TypeVar

import click

from geo import ALGORITHM_VERSION
from geo.crs import Datum, convert
from geo.errors import GeoError, UnreadableInput
from geo.files import read_fixes, read_text
from geo.fix import SOURCES, FixArray
from geo.gaps import Window
from geo.geofence import Geofence
from geo.offpost import OffPostInterval, detect_off_post
from geo.policy import Policy
from geo.presence import PresenceInterval, State, crossings, detect_presence
from geo.quality import flag_series
from geo.roads import Profile, Roads
from geo.trajectory import Stop, Trajectory, Trip, reconstruct_day, segment_to_json
from geo.valhalla_roads import ValhallaRoads
from geo.verdict import canonical_json, parse_instant

P = ParamSpec("P")
R = TypeVar("R")

_DATUMS: Final = click.Choice([d.value for d in Datum])


class BadInput(click.ClickException):
    """Input that cannot be used: one line on standard error, exit status 2."""

    exit_code = 2

    def show(self, file: Any = None) -> None:  # noqa: ANN401  # click's own signature
        """Print the message on one line."""
        line = " ".join(self.format_message().split())
        click.echo(f"outpost: {line}", file=file, err=file is None)


class OneLineCommand(click.Command):
    """Command whose usage errors are one line too, so that scripts can show them as they are."""

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:  # noqa: ANN401  # as click
        """Parse the command line."""
        try:
            return super().make_context(*args, **kwargs)
        except click.UsageError as error:
            raise BadInput(error.format_message()) from None


def one_line_errors(command: Callable[P, R]) -> Callable[P, R]:
    """Turn what the core refuses into one line and exit status 2."""

    @wraps(command)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except GeoError as error:
            raise BadInput(error.detail) from None

    return guarded


def thresholds_of(*groups: str) -> str:
    """Defaults of the policy for the help text."""
    lines = ["\b", "Thresholds and defaults (names carry the unit; --policy FILE overrides):"]
    for name in groups:
        group = getattr(Policy(), name)
        lines += [f"  {name}.{f.name} = {getattr(group, f.name):g}" for f in fields(group)]
    return "\n".join(lines)


file_argument = click.argument("file", metavar="FILE")
datum_option = click.option(
    "--datum", type=_DATUMS, default=Datum.WGS84.value, show_default=True,
    help="Datum of the positions in FILE; they are converted on reading.",
)  # fmt: skip
policy_option = click.option(
    "--policy", "policy_file", metavar="FILE", help="JSON with thresholds to override."
)


@click.command(cls=OneLineCommand, epilog=thresholds_of("track", "quality"))
@file_argument
@click.option("--roads", metavar="TILES.tar", help="Valhalla tiles to match trips to roads.")
@click.option(
    "--profile", type=click.Choice([p.value for p in Profile]), default=Profile.AUTO.value,
    show_default=True, help="How the person moves; used with --roads.",
)  # fmt: skip
@click.option("--path", "with_path", is_flag=True, help="Add the line [lon, lat] of each trip.")
@datum_option
@policy_option
@one_line_errors
def track(
    file: str,
    *,
    roads: str | None,
    profile: str,
    datum: str,
    policy_file: str | None,
    with_path: bool,
) -> None:
    """Reconstruct stops, trips and gaps of one person from FILE.

    FILE is .jsonl (OwnTracks), .csv, .gpx or .plt, also .gz; - reads standard input.
    Times are UTC, positions WGS-84 longitude and latitude in degrees, lengths metres,
    durations seconds.
    """
    policy = read_policy(policy_file)
    columns = flag_series(read_columns(file, datum), policy=policy.quality)
    day = reconstruct_day(
        columns, policy=policy.track, roads=read_roads(roads), profile=Profile(profile)
    )
    write_answer(
        {
            "fixes": len(columns),
            "used": len(day.track.fixes),
            "flags": day.flags,
            "start": day.start,
            "end": day.end,
            "coverage": round(day.coverage, 4),
            "distance_m": day.distance.to_json(),
            "segments": [
                _segment(day, number, with_path=with_path) for number in range(len(day.segments))
            ],
            "algorithm_version": ALGORITHM_VERSION,
            "policy": policy.to_json(),
        }
    )


@click.command(cls=OneLineCommand, epilog=thresholds_of("presence", "off_post", "quality"))
@file_argument
@click.option(
    "--post", "post_file", required=True, metavar="FENCE.geojson",
    help="Polygon, MultiPolygon, or Point with radius_m (20 to 50000).",
)  # fmt: skip
@click.option(
    "--duty", "duty_spans", required=True, multiple=True, metavar="START/END",
    help="Duty window, ISO 8601 with zone; repeat for more.",
)  # fmt: skip
@click.option(
    "--excused", "excused_spans", multiple=True, metavar="START/END",
    help="Excused span (leave, outing, break); more may follow it.",
)  # fmt: skip
@click.option("--as-of", metavar="TIME", help="Judge as at this instant [default: end of duty].")
@click.argument("more_excused", nargs=-1, metavar="")
@datum_option
@policy_option
@one_line_errors
def presence(
    file: str,
    *,
    post_file: str,
    duty_spans: tuple[str, ...],
    excused_spans: tuple[str, ...],
    more_excused: tuple[str, ...],
    as_of: str | None,
    datum: str,
    policy_file: str | None,
) -> None:
    """Decide when one person was inside, outside or nobody knows, and absences from the post.

    FILE is .jsonl (OwnTracks), .csv, .gpx or .plt, also .gz; - reads standard input.
    Times are UTC, positions WGS-84 longitude and latitude in degrees, lengths metres,
    durations seconds. Each duty window is a shift: it settles anew, and has a break budget of
    its own. A crossing of the edge is listed where it was seen; with unknown between inside
    and outside it was not.
    """
    policy = read_policy(policy_file)
    fence = Geofence.from_geojson(read_json(post_file))
    duty = read_windows(duty_spans)
    now = parse_instant(as_of) if as_of else duty[-1].end
    columns = flag_series(read_columns(file, datum), policy=policy.quality)
    seen = detect_presence(columns, fence, duty, policy=policy.presence, as_of=now)
    absences = detect_off_post(
        seen,
        columns,
        fence,
        duty=duty,
        excused=[read_window(text) for text in (*excused_spans, *more_excused)],
        policy=policy.off_post,
        as_of=now,
        policy_version=policy.version,
    )
    # From the columns, where of two lines about one fix always the same one survives.
    index = {key: i for i, key in enumerate(columns.keys.tolist())}
    write_answer(
        {
            "intervals": [_observed(i) for i in seen.intervals],
            "off_post": [_absence(a, columns, index, fence) for a in absences],
            "crossings": [asdict(c) for c in crossings(seen)],
            "gaps": [asdict(g) for g in seen.gaps],
            "coverage": round(seen.coverage, 4),
            "as_of": now,
            "algorithm_version": ALGORITHM_VERSION,
            "policy": policy.to_json(),
        }
    )


@click.command(cls=OneLineCommand)
@click.option("--from", "source", type=_DATUMS, required=True, help="Datum of the input.")
@click.option("--to", "target", type=_DATUMS, required=True, help="Datum of the output.")
@one_line_errors
def datum(source: str, target: str) -> None:
    """Convert lines "lon,lat" in degrees from standard input between map datums.

    Answers "lon,lat" a line, in the same order, to nine decimals; a header line is kept.
    Outside China all datums are the same.
    """
    lines = [row for row in csv.reader(read_text("-", stdin=sys.stdin.buffer).splitlines()) if row]
    header = bool(lines) and [cell.strip().lower() for cell in lines[0][:2]] == ["lon", "lat"]
    pairs = [_pair(row, number) for number, row in enumerate(lines, 1) if number > header]
    lon, lat = convert(
        [x for x, _ in pairs], [y for _, y in pairs], source=Datum(source), target=Datum(target)
    )
    if header:
        click.echo("lon,lat")
    for x, y in zip(lon.tolist(), lat.tolist(), strict=True):
        click.echo(f"{x:.9f},{y:.9f}")


def _pair(row: list[str], number: int) -> tuple[float, float]:
    try:
        lon, lat = (float(cell) for cell in row)
    except ValueError:
        raise UnreadableInput("bad_pair", f"line {number} is not lon,lat") from None
    if not (-180.0 <= lon <= 180.0 and -90.0 <= lat <= 90.0):
        raise UnreadableInput("range", f"line {number}: lon {lon} lat {lat} is not on Earth")
    return lon, lat


def read_roads(tiles: str | None) -> Roads | None:
    """Road network in a tar of Valhalla tiles, if one is given."""
    return None if tiles is None else ValhallaRoads(Path(tiles))


def read_policy(name: str | None) -> Policy:
    """Defaults, with what a file overrides."""
    return Policy() if name is None else Policy.from_json(read_text(name))


def read_json(name: str) -> object:
    """Content of a JSON file; `-` is standard input."""
    try:
        return json.loads(read_text(name))
    except (ValueError, RecursionError) as error:
        if isinstance(error, GeoError):
            raise
        raise UnreadableInput("not_json", f"{name}: not JSON") from None


def read_columns(file: str, datum_name: str) -> FixArray:
    """Read a file of fixes as columns, in WGS-84."""
    return FixArray.from_fixes(read_fixes(file, stdin=sys.stdin.buffer, datum=Datum(datum_name)))


def read_window(text: str) -> Window:
    """Read START/END."""
    start, slash, end = text.partition("/")
    if not slash:
        raise UnreadableInput("bad_span", f"not START/END: {text[:60]!r}")
    return Window(parse_instant(start), parse_instant(end))


def read_windows(texts: tuple[str, ...]) -> list[Window]:
    """Read START/END of duty windows, in time order."""
    windows = sorted((read_window(text) for text in texts), key=lambda w: w.start)
    for before, after in pairwise(windows):
        if after.start < before.end:
            raise UnreadableInput("overlap", "duty windows overlap")
    return windows


def _segment(day: Trajectory, number: int, *, with_path: bool) -> dict[str, Any]:
    segment = day.segments[number]
    if not (with_path and isinstance(segment, Trip)):
        return segment_to_json(segment)
    path = list(segment.path)
    if not path:
        fixes, part = day.track.fixes, slice(segment.first, segment.last + 1)
        path = list(zip(fixes.lon_deg[part].tolist(), fixes.lat_deg[part].tolist(), strict=True))
        # As the distance does, from the middle of one stop to the middle of the next.
        for end, beside in ((0, number - 1), (-1, number + 1)):
            stop = day.segments[beside] if 0 <= beside < len(day.segments) else None
            if isinstance(stop, Stop):
                path[end] = (stop.lon_deg, stop.lat_deg)
    return segment_to_json(segment) | {"path": [[round(x, 6), round(y, 6)] for x, y in path]}


def _absence(
    absence: OffPostInterval, columns: FixArray, index: Mapping[str, int], fence: Geofence
) -> dict[str, Any]:
    breaks = absence.evidence.inputs.get("breaks")
    fixes = []
    for i in (index[key] for key in absence.fix_keys):
        lon, lat = float(columns.lon_deg[i]), float(columns.lat_deg[i])
        accuracy_m = float(columns.accuracy_m[i])
        fixes.append(
            {
                "fixed_at": columns.fixed_at(i),
                "lon": lon,
                "lat": lat,
                "accuracy_m": None if math.isnan(accuracy_m) else accuracy_m,
                "source": SOURCES[columns.source[i]],
                "distance_m": round(fence.signed_distance_m(lon_deg=lon, lat_deg=lat), 1),
            }
        )
    return {
        "start": absence.start,
        "end": absence.end,
        "decided_at": absence.decided_at,
        "duration_s": absence.duration_s,
        "max_distance_m": absence.max_distance_m,
        "margin_m": absence.margin_m,
        "confidence": absence.confidence,
        "reasons": absence.reasons,
        "fixes": fixes,
    } | ({"breaks": breaks} if breaks else {})


def _observed(interval: PresenceInterval) -> dict[str, Any]:
    """Name the inference only where there is one, and the probability where somebody looked."""
    span = {"state": interval.state, "start": interval.start, "end": interval.end}
    if interval.inferred:
        return span | {"inferred": True}
    return span if interval.state is State.UNKNOWN else span | {"probability": interval.probability}


def write_answer(answer: dict[str, Any]) -> None:
    """Print an answer whose bytes depend on nothing but itself."""
    click.echo(canonical_json(answer))
