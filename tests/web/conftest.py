from collections.abc import Iterator

import pytest

from fixtures.stack import DatabaseUrls, Stack
from tests.factories.desk import Desk, desk


@pytest.fixture(scope="module")
def office(stack: Stack, module_database: DatabaseUrls) -> Iterator[Desk]:
    """One desk for the tests of a module; each test looks at people or objects of its own."""
    with desk(stack, module_database) as made:
        yield made
