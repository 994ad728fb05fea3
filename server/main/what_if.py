"""The command `what-if`: another rule on a file of fixes, or on past days of an organisation."""

import json
from collections.abc import Mapping
from datetime import date
from typing import Any

import click

from geo.cli import (
    BadInput,
    OneLineCommand,
    datum_option,
    one_line_errors,
    policy_option,
    read_json,
    thresholds_of,
    write_answer,
)
from geo.what_if_cli import Number, post_terms, replay_file


@click.command(cls=OneLineCommand, epilog=thresholds_of("presence", "off_post"))
@click.argument("file", metavar="[FILE]", required=False)
@click.option("--tenant", metavar="SLUG", help="Replay stored days of this organisation instead.")
@click.option(
    "--post", metavar="FENCE|NAME",
    help="With FILE a GeoJSON fence: Polygon, MultiPolygon, or Point with radius_m (20 to"
    " 50000). With --tenant the name of the post that --radius, --dwell and --buffer change.",
)  # fmt: skip
@click.option("--duty", multiple=True, metavar="START/END", help="Duty window, ISO 8601 with zone.")
@click.option("--excused", multiple=True, metavar="START/END", help="Excused span.")
@click.option("--as-of", metavar="TIME", help="Judge as at this instant [default: end of duty].")
@datum_option
@policy_option
@click.option("--try", "tried", metavar="FILE", help="JSON with thresholds to try over --policy.")
@click.option("--set", "sets", multiple=True, metavar="GROUP.NAME=NUMBER",
    help="One threshold to try, such as off_post.min_outside_s=900; may be repeated.",
)  # fmt: skip
@click.option("--radius", type=float, metavar="M", help="Radius of the circle to try, metres.")
@click.option("--dwell", type=float, metavar="S", help="Seconds outside to try for this post.")
@click.option("--buffer", type=float, metavar="M", help="Metres beyond the edge to try.")
@click.option("--from", "first", metavar="DATE", help="First work date; the oldest kept.")
@click.option("--to", "last", metavar="DATE", help="Last work date; yesterday.")
@click.option("--unit", metavar="NAME", help="Only people of this unit and below.")
@one_line_errors
def what_if(file: str | None, *, tenant: str | None, **options: Any) -> None:  # noqa: ANN401
    """Show whose absences another rule would judge otherwise; writes nothing.

    With FILE (.jsonl OwnTracks, .csv, .gpx or .plt, also .gz; - is standard input) both
    verdicts and their flips are one JSON object. With --tenant the stored days of the past
    month are replayed, one JSON object a line for each flip, the sums on standard error.
    Flips are appeared, disappeared, longer or shorter. Times are UTC, lengths metres,
    durations seconds.
    """
    if (file is None) is (tenant is None):
        raise BadInput("name a FILE or --tenant, one of them")
    sets = _thresholds(options["sets"])
    tries = [options[name] for name in ("tried", "radius", "dwell", "buffer")]
    if not sets and all(each is None for each in tries):
        raise BadInput("nothing to try: --try, --set, --radius, --dwell or --buffer")
    if file is not None:
        _of_file(file, sets, options)
    else:
        assert tenant is not None
        _of_tenant(tenant, sets, options)


def _of_file(
    file: str, sets: Mapping[str, Mapping[str, Number]], options: Mapping[str, Any]
) -> None:
    if options["post"] is None or not options["duty"]:
        raise BadInput("a FILE needs --post and --duty")
    if any(options[name] is not None for name in ("first", "last", "unit")):
        raise BadInput("--from, --to and --unit go with --tenant")
    terms = post_terms(dwell_s=options["dwell"], buffer_m=options["buffer"])
    groups = {*sets, *terms}
    write_answer(
        replay_file(
            file,
            post_file=options["post"],
            duty=options["duty"],
            excused=options["excused"],
            policy_file=options["policy_file"],
            tried_file=options["tried"],
            set_to={name: {**sets.get(name, {}), **terms.get(name, {})} for name in groups},
            radius_m=options["radius"],
            as_of=options["as_of"],
            datum=options["datum"],
        )
    )


def _of_tenant(
    slug: str, sets: Mapping[str, Mapping[str, Number]], options: Mapping[str, Any]
) -> None:
    # The command on files needs neither settings nor a database.
    from server.main.replaying import Wanted, replay_tenant  # noqa: PLC0415

    for name in ("duty", "excused", "as_of", "policy_file"):
        if options[name]:
            raise BadInput("--duty, --excused, --as-of and --policy go with a FILE")
    tried = {} if options["tried"] is None else _groups(options["tried"])
    replay_tenant(
        slug,
        Wanted(
            thresholds={
                name: {**tried.get(name, {}), **sets.get(name, {})} for name in {*tried, *sets}
            },
            post=options["post"],
            radius_m=options["radius"],
            dwell_s=options["dwell"],
            buffer_m=options["buffer"],
            unit=options["unit"],
            first_on=_date(options["first"]),
            last_on=_date(options["last"]),
        ),
    )


def _groups(name: str) -> dict[str, dict[str, Any]]:
    document = read_json(name)
    if not isinstance(document, dict):
        raise BadInput(f"{name}: not a JSON object")
    groups = {key: group for key, group in document.items() if key != "version"}
    if not all(isinstance(group, dict) for group in groups.values()):
        raise BadInput(f"{name}: not a JSON object of groups of thresholds")
    return groups


def _thresholds(texts: tuple[str, ...]) -> dict[str, dict[str, Number]]:
    said: dict[str, dict[str, Number]] = {}
    for text in texts:
        name, _, value = text.partition("=")
        group, dot, threshold = name.partition(".")
        try:
            number = json.loads(value)
        except ValueError:
            number = None
        if not dot or isinstance(number, bool) or not isinstance(number, int | float):
            raise BadInput(f"{text!r} is not of the form group.name=number")
        said.setdefault(group, {})[threshold] = number
    return said


def _date(text: str | None) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise BadInput(f"{text!r} is no date like 2026-11-18") from None
