"""A running ingest process and what it left in the database."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from fixtures.stack import DatabaseUrls, Stack
from tests.factories.consumer import Consumer, Rows, consuming


@pytest.fixture
def consumer(stack: Stack, database: DatabaseUrls, tmp_path: Path) -> Iterator[Consumer]:
    with consuming(stack, database, tmp_path) as made:
        yield made


@pytest.fixture
def rows(database: DatabaseUrls) -> Rows:
    return Rows(database)
