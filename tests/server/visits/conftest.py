from collections.abc import Iterator

import pytest

from fixtures.stack import DatabaseUrls
from tests.factories.company import Company, company


@pytest.fixture
def acme(database: DatabaseUrls) -> Iterator[Company]:
    with company(database) as made:
        yield made
