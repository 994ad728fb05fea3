"""What asking a provider needs; one a process."""

from dataclasses import dataclass

from sqlalchemy.orm import Session, sessionmaker

from server.carriers.egress import Egress
from server.carriers.providers import Line
from server.carriers.reserving import Booked
from server.clock import Clock
from server.crypto import Vault
from server.settings import Settings


@dataclass(frozen=True, slots=True)
class Desk:
    """What asking needs; one a process, made by `desk_of`.

    Attributes
    ----------
    sessions : of the role `app` (inside the tenant's wall) or `engine`.
    vault : opens the providers' credentials.
    egress : the only way out, with its guard.
    """

    sessions: sessionmaker[Session]
    clock: Clock
    vault: Vault
    egress: Egress

    def line(self, booked: Booked) -> Line:
        """Return how to reach the provider of a booked question."""
        return Line(booked.url, booked.options, self.egress, booked.credentials)


def desk_of(settings: Settings, sessions: sessionmaker[Session], clock: Clock) -> Desk:
    """Return what asking needs from the settings of a process."""
    return Desk(sessions, clock, Vault(settings.data_key), Egress(settings.carrier_hosts))
