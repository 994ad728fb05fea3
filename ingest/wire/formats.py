"""Which decoder reads which format; the one list of formats that doors and commands share."""

from collections.abc import Callable
from dataclasses import dataclass

from ingest.wire import (
    Decoded,
    Reason,
    Rejection,
    geosubmit,
    network_survey,
    osmand,
    overland,
    owntracks,
    traccar_json,
)
from ingest.wire.instants import Envelope

Decoder = Callable[[bytes, Envelope], list[Decoded]]


@dataclass(frozen=True, slots=True)
class Format:
    """One way of writing positions.

    Attributes
    ----------
    name : as commands call it.
    root : first level of its topics.
    decode : reads one message.
    members : takes a message that `decode` reads apart, None when it holds one position only.
    """

    name: str
    root: str
    decode: Decoder
    members: Callable[[bytes], list[bytes]] | None = None


def _osmand_members(payload: bytes) -> list[bytes]:
    return traccar_json.members(payload) if traccar_json.is_json(payload) else [payload]


FORMATS = (
    Format("owntracks", "owntracks", owntracks.decode, owntracks.members),
    Format("osmand", "osmand", osmand.decode, _osmand_members),
    Format("overland", "overland", overland.decode, overland.members),
    Format("network-survey", "survey", network_survey.decode, network_survey.members),
    Format("geosubmit", "geosubmit", geosubmit.decode, geosubmit.members),
)
BY_NAME = {known.name: known for known in FORMATS}
BY_ROOT = {known.root: known for known in FORMATS}


def decode_safely(known: Format, payload: bytes, envelope: Envelope) -> list[Decoded]:
    """Decode a message; a fault of the decoder's own is a rejection too."""
    try:
        return known.decode(payload, envelope)
    except Exception as error:  # noqa: BLE001 - no message may ever stop the others
        return [Rejection(Reason.DECODER, type(error).__name__)]
