"""`outpost carrier`: set up, list, try, remove; people's consent."""

import json
from collections.abc import Iterator
from datetime import date

import pytest
from sqlalchemy import text

from fixtures.stack import DatabaseUrls, Stack
from tests.factories.carrier_server import PASSWORD, USER, CarrierServer, carrier_server, seen
from tests.factories.company import Company, company
from tests.server.main.test_cli import outpost


@pytest.fixture
def server() -> Iterator[CarrierServer]:
    with carrier_server() as scene:
        yield scene


@pytest.fixture
def acme(database: DatabaseUrls) -> Iterator[Company]:
    with company(database) as made:
        yield made


def test_a_provider_from_set_up_to_removal(
    stack: Stack, database: DatabaseUrls, acme: Company, server: CarrierServer
) -> None:
    env = stack.settings_env(database) | {"OUTPOST_CARRIER_HOSTS": server.host}
    secrets = json.dumps({"client_id": USER, "password": PASSWORD})
    add = ("carrier", "add", "acme", "mobile", "--kind", "le2", "--credentials-stdin")
    options = ("--url", server.url("/le"), "--option", "test_number=13500135000")
    done = outpost(*add, *options, env=env, stdin=secrets)
    assert done.returncode == 0, done.stderr
    server.phones["13500135000"] = seen(
        time="20261118115930", off="+0800", x="31 13 49.44N", y="121 28 25.32E"
    )
    done = outpost("carrier", "test", "acme", "mobile", env=env)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("s: a position\n")
    done = outpost("carrier", "list", "acme", env=env)
    name, kind, url, state, used, last = done.stdout.rstrip("\n").split("\t")
    assert (name, kind, url, state, used) == (
        "mobile",
        "le2",
        server.url("/le"),
        "closed",
        "1/1000",
    )
    assert last.startswith("ok 20")
    assert PASSWORD not in done.stdout
    assert outpost("carrier", "remove", "acme", "mobile", env=env).returncode == 0
    with acme.transaction() as session:
        assert session.execute(text("SELECT count(*) FROM carrier_providers")).scalar() == 0


def test_consent_is_given_for_a_number_and_taken_back(
    stack: Stack, database: DatabaseUrls, acme: Company
) -> None:
    env = stack.settings_env(database)
    acme.hire("王芳")
    with acme.transaction() as session:
        number = session.execute(
            text("UPDATE employees SET phone = '138 0013 8000' RETURNING number")
        ).scalar_one()
    give = ("carrier", "consent", "give", "acme", number, "--note", "signed sheet 12")
    assert outpost(*give, env=env).returncode == 0
    with acme.transaction() as session:
        rows = session.execute(text("SELECT msisdn, note, given_at FROM carrier_consents")).all()
    assert [row[:2] for row in rows] == [("8613800138000", "signed sheet 12")]
    assert rows[0].given_at.date() >= date(2026, 1, 1)
    withdraw = ("carrier", "consent", "withdraw", "acme", number)
    assert "is withdrawn" in outpost(*withdraw, env=env).stdout
    with acme.transaction() as session:
        assert session.execute(text("SELECT withdrawn_how FROM carrier_consents")).all() == [
            ("account",)
        ]
