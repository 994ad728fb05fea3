from collections.abc import Iterator

import pytest

from fixtures.stack import DatabaseUrls
from tests.factories.company import company
from tests.factories.paperwork import Desk


@pytest.fixture
def desk(database: DatabaseUrls) -> Iterator[Desk]:
    """A company at noon of its day, and somebody who brings it files."""
    with company(database) as made:
        yield Desk(made)


@pytest.fixture(scope="module")
def shared_desk(module_database: DatabaseUrls) -> Iterator[Desk]:
    """One desk for tests that look at rows of their own."""
    with company(module_database) as made:
        yield Desk(made)
