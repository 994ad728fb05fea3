"""Use cases of carriers: providers, consents, and asking where a phone or a set of cells is."""

from server.carriers.asking import PlaceCells, locate_phone
from server.carriers.codec.geolocate import SeenCell, SeenNetwork
from server.carriers.codec.shapes import Disc
from server.carriers.desk import Desk, desk_of
from server.carriers.radio import geolocate
from server.carriers.reserving import Asker
from server.carriers.rules import CarrierFix, CarrierRefusal, RefusalCode

__all__ = [
    "Asker",
    "CarrierFix",
    "CarrierRefusal",
    "Desk",
    "Disc",
    "PlaceCells",
    "RefusalCode",
    "SeenCell",
    "SeenNetwork",
    "desk_of",
    "geolocate",
    "locate_phone",
]
