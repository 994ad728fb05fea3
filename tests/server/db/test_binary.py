"""Arrays packed by numpy are what PostgreSQL reads."""

from datetime import date
from typing import Any
from uuid import UUID

import numpy as np
import psycopg
import pytest

from fixtures.stack import DatabaseUrls
from server.db.binary import pack, uuids
from tests.factories.crew import plain_url

IDS = [UUID(int=0), UUID(int=2**128 - 1), UUID("018f6c6e-0000-7000-8000-00000000ab00")]
DATES = [date(1999, 12, 31), date(2000, 1, 1), date(2026, 2, 28)]


@pytest.mark.parametrize(
    ("kind", "values", "expected"),
    [
        ("int2", [-1, 0, 32_767], [-1, 0, 32_767]),
        ("int4", [-(2**31), 7, 2**31 - 1], [-(2**31), 7, 2**31 - 1]),
        ("int8", [-(2**63), 7, 2**63 - 1], [-(2**63), 7, 2**63 - 1]),
        ("float8", [0.1, -1e300, 5e-324], [0.1, -1e300, 5e-324]),
        ("uuid", uuids(IDS), IDS),
        ("date", [on.toordinal() for on in DATES], DATES),
    ],
)
@pytest.mark.parametrize("null", [None, [False, True, False], [True, True, True]])
def test_what_is_packed_is_what_the_server_has(
    module_database: DatabaseUrls,
    kind: str,
    values: Any,
    expected: list[Any],
    null: list[bool] | None,
) -> None:
    missing = null or [False] * len(expected)
    with psycopg.connect(plain_url(module_database.superuser)) as connection:
        row = connection.execute(
            f"SELECT %s::{kind}[]".encode(), [pack(kind, values, null=null)]
        ).fetchone()
    wanted = [None if gone else value for value, gone in zip(expected, missing, strict=True)]
    assert row == (wanted,)


def test_an_empty_array_is_one(module_database: DatabaseUrls) -> None:
    with psycopg.connect(plain_url(module_database.superuser)) as connection:
        row = connection.execute(
            "SELECT count(*) FROM unnest(%s::int8[])", [pack("int8", np.empty(0))]
        ).fetchone()
    assert row == (0,)
