"""Use cases of carriers: providers, consents, and asking where a phone or a set of cells is."""

from server.carriers.asking import PlaceCells, locate_phone
from server.carriers.codec.geolocate import SeenCell, SeenNetwork
from server.carriers.codec.shapes import Disc
from server.carriers.desk import Desk, desk_of
from server.carriers.options import SECRETS, Options
from server.carriers.radio import geolocate
from server.carriers.reserving import Asker
from server.carriers.rules import (
    REFUSALS,
    BreakerState,
    CarrierFix,
    CarrierRefusal,
    ProviderKind,
    RefusalCode,
    Withdrawn,
)
from server.carriers.setup import (
    ProviderDraft,
    add_provider,
    change_provider,
    record_consent,
    remove_provider,
    withdraw_consent,
)
from server.carriers.trying import CallReport, try_provider

__all__ = [
    "REFUSALS",
    "SECRETS",
    "Asker",
    "BreakerState",
    "CallReport",
    "CarrierFix",
    "CarrierRefusal",
    "Desk",
    "Disc",
    "Options",
    "PlaceCells",
    "ProviderDraft",
    "ProviderKind",
    "RefusalCode",
    "SeenCell",
    "SeenNetwork",
    "Withdrawn",
    "add_provider",
    "change_provider",
    "desk_of",
    "geolocate",
    "locate_phone",
    "record_consent",
    "remove_provider",
    "try_provider",
    "withdraw_consent",
]
