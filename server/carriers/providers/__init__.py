"""One interface to every protocol: a question goes out, a position or a reason comes back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from server.carriers.codec.geolocate import SeenCell, SeenNetwork
from server.carriers.codec.mlp import Located
from server.carriers.codec.shapes import Disc
from server.carriers.egress import Egress
from server.carriers.options import Options
from server.carriers.rules import RefusalCode


@dataclass(frozen=True, slots=True)
class Line:
    """How to reach one provider: address, settings, credentials in clear, the way out."""

    url: str
    options: Options
    egress: Egress
    credentials: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Refused:
    """No position: what it means, in whose words, and the carrier's own number."""

    code: RefusalCode
    detail: str = ""
    number: int | None = None


@dataclass(frozen=True, slots=True)
class RadioPlace:
    """Where cells and networks are; WGS-84. `area` when only their area was known."""

    disc: Disc
    area: bool


class LocatesPhones(Protocol):
    """A carrier: knows where its subscribers' phones are."""

    def locate(self, line: Line, *, msisdn: str) -> Located | Refused:
        """Ask where a phone is; `msisdn` as E.164 without plus. Coordinates come in WGS-84.

        Answers about another number are refused. `Located.disc` may be None when the
        carrier names radio cells only.
        """
        ...


class LocatesRadio(Protocol):
    """A positioning service: knows where cells and networks are."""

    def place(
        self, line: Line, *, cells: Sequence[SeenCell], networks: Sequence[SeenNetwork]
    ) -> RadioPlace | Refused:
        """Ask where cells and networks are; coordinates come in WGS-84."""
        ...
