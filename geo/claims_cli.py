"""The command `outpost audit-claim`: a claim and fixes in, a verdict a line out, no server."""

from decimal import Decimal
from typing import Any

import click

from geo import ALGORITHM_VERSION
from geo.claim_document import read_claim
from geo.claims import LineCheck, audit_claim
from geo.cli import (
    OneLineCommand,
    datum_option,
    one_line_errors,
    policy_option,
    read_columns,
    read_json,
    read_policy,
    read_roads,
    thresholds_of,
    write_answer,
)
from geo.crs import Datum
from geo.quality import flag_series


@click.command("audit-claim", cls=OneLineCommand, epilog=thresholds_of("claim", "track", "quality"))
@click.argument("claim_file", metavar="CLAIM.json")
@click.option(
    "--fixes", "file", required=True, metavar="FILE",
    help="Fixes of the claimant: .jsonl (OwnTracks), .csv, .gpx or .plt, also .gz; - for stdin.",
)  # fmt: skip
@click.option("--roads", metavar="TILES.tar", help="Valhalla tiles for ways along roads.")
@datum_option
@policy_option
@one_line_errors
def audit(
    claim_file: str, *, file: str, roads: str | None, datum: str, policy_file: str | None
) -> None:
    """Check the lines of a travel claim against the fixes of the claimant.

    Kilometres and money are decimal strings, coverage is a share. Times are UTC, positions
    WGS-84 longitude and latitude in degrees. Nights are 22 to 6 o'clock in the line's zone.
    """
    policy = read_policy(policy_file)
    claim = read_claim(read_json(claim_file), datum=Datum(datum))
    columns = flag_series(read_columns(file, datum), policy=policy.quality)
    verdict, checks = audit_claim(claim, columns, policy=policy, roads=read_roads(roads))
    write_answer(
        {
            "verdict": verdict,
            "currency": claim.currency,
            "lines": [_shown(check) for check in checks],
            "algorithm_version": ALGORITHM_VERSION,
            "policy": policy.to_json(),
        }
    )


def _shown(check: LineCheck) -> dict[str, Any]:
    return {
        "id": check.id,
        "verdict": check.verdict,
        "claimed": _text(check.claimed),
        "feasible": {"low": _text(check.low), "high": _text(check.high)},
        "observed": _text(check.observed),
        "over_by": _text(check.over_by),
        "suggested_amount": _text(check.suggested_amount),
        "coverage": check.coverage,
        "reasons": check.reasons,
        "evidence": check.evidence,
    }


def _text(value: Decimal | None) -> str | None:
    return None if value is None else str(value)
