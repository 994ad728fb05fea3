import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from fixtures.stack import DatabaseUrls
from server.db.engine import make_engine


def test_an_error_names_no_parameters(module_database: DatabaseUrls) -> None:
    engine = make_engine(module_database.ingest, pool_size=1)
    with engine.connect() as connection, pytest.raises(DBAPIError) as caught:
        connection.execute(text("SELECT :lat / 0"), {"lat": 31_777_123})
    engine.dispose()
    assert "31777123" not in str(caught.value)
