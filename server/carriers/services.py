"""Use cases of carriers: providers, consents, and asking where a phone or a set of cells is."""

from server.carriers.asking import (
    Asker,
    Desk,
    SeenCell,
    SeenNetwork,
    desk_of,
    geolocate,
    locate_phone,
)
from server.carriers.rules import CarrierFix, CarrierRefusal, RefusalCode

__all__ = [
    "Asker",
    "CarrierFix",
    "CarrierRefusal",
    "Desk",
    "RefusalCode",
    "SeenCell",
    "SeenNetwork",
    "desk_of",
    "geolocate",
    "locate_phone",
]
