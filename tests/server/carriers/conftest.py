from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from fixtures.stack import DatabaseUrls
from server.carriers.egress import Egress
from server.carriers.services import (
    Asker,
    CarrierFix,
    CarrierRefusal,
    Desk,
    ProviderDraft,
    ProviderKind,
    RefusalCode,
    add_provider,
    locate_phone,
    record_consent,
)
from server.crypto import Vault
from tests.factories.carrier_server import KEY, PASSWORD, USER, CarrierServer, carrier_server
from tests.factories.company import Company, company

NOON = datetime(2026, 11, 18, 4, 0, tzinfo=UTC)
"""12:00 in Shanghai, in the middle of the shift."""
SECRETS = {"client_id": USER, "password": PASSWORD}


@dataclass(slots=True)
class Carriers:
    """A company, the carriers' server, and a desk that may reach it."""

    acme: Company
    server: CarrierServer
    vault: Vault = field(default_factory=lambda: Vault(bytes(range(32))))
    engine_role: bool = False

    @property
    def egress(self) -> Egress:
        """The way out, to this server."""
        return Egress([self.server.host])

    @property
    def desk(self) -> Desk:
        """What asking needs, with the rights of the engine or of pages."""
        engine = self.acme.engine if self.engine_role else self.acme.app
        return Desk(self.acme.sessions(engine), self.acme.clock, self.vault, self.egress)

    def add(self, name: str, kind: ProviderKind, **draft: Any) -> UUID:
        """Set a provider up, with the credentials the server takes."""
        path = {ProviderKind.GEOLOCATE: "/geolocate", ProviderKind.LE2: "/le"}.get(kind, "/mlp")
        secrets = {"key": KEY} if kind is ProviderKind.GEOLOCATE else SECRETS
        given = {"url": self.server.url(path), "credentials": secrets} | draft
        with self.acme.transaction() as session:
            return add_provider(
                session,
                self.acme.clock,
                vault=self.vault,
                egress=self.egress,
                tenant_id=self.acme.tenant_id,
                draft=ProviderDraft(name=name, kind=kind, **given),
            )

    def person(
        self, phone: str | None = "138 0013 8000", *, consent: bool = True, duty: bool = True
    ) -> UUID:
        """Hire somebody with a phone number, usually with consent and on duty at noon."""
        person = self.acme.hire()
        with self.acme.transaction() as session:
            session.execute(
                text("UPDATE employees SET phone = :phone WHERE id = :id"),
                {"phone": phone, "id": person},
            )
        if duty:
            self.acme.roster(person)
        if consent:
            self.consent(person)
        return person

    def consent(self, person: UUID) -> None:
        """Note that a person agreed."""
        with self.acme.transaction() as session:
            record_consent(
                session,
                self.acme.clock,
                tenant_id=self.acme.tenant_id,
                employee_id=person,
                given_at=self.acme.clock.now(),
                note="signed sheet 12",
            )

    def locate(self, person: UUID) -> CarrierFix | CarrierRefusal:
        """Ask where a person is."""
        return locate_phone(
            self.desk,
            tenant_id=self.acme.tenant_id,
            employee_id=person,
            purpose="locate_now",
            asker=Asker("Lead"),
        )

    def refusal(self, person: UUID) -> RefusalCode:
        """Ask where a person is, and be refused."""
        said = self.locate(person)
        assert isinstance(said, CarrierRefusal), said
        return said.code

    def rows(self, sql: str, **values: Any) -> list[Any]:
        """Read with the rights of pages."""
        with self.acme.transaction() as session:
            return list(session.execute(text(sql), values))


@pytest.fixture(scope="module")
def server() -> Iterator[CarrierServer]:
    with carrier_server() as scene:
        yield scene


@pytest.fixture
def carriers(database: DatabaseUrls, server: CarrierServer) -> Iterator[Carriers]:
    server.mood = None
    server.asked.clear()
    server.phones.clear()
    server.cells.clear()
    server.areas.clear()
    with company(database) as acme:
        acme.clock.at = NOON
        yield Carriers(acme, server)
