"""Messages that could not be stored: kept sealed, unless keeping them could keep too much.

That a message came while somebody was on duty says nothing about when it was written: phones
flush yesterday's backlog this morning. So a payload is kept only for the instants it speaks
of itself, and not at all when those cannot be told.
"""

import re
from collections.abc import Sequence

from ingest.wire import Reason, Rejection
from ingest.wire.instants import FUTURE_S
from ingest.wire.numbers import OLDEST_S
from server.crypto import Vault

RETENTION_DAYS = 30

_NEVER = frozenset({Reason.CRYPTO, Reason.DEVICE, Reason.TOPIC, Reason.TST_FUTURE})
"""Nobody can read it, nobody's duty is known, or the clock that stamped it is wrong."""
_TIME = re.compile(rb'"tst"\s*:\s*(?:"?(-?\d{1,12}(?:\.\d{1,9})?)"?\s*[,}])?')
_PLACE = re.compile(rb'"lat(?:itude)?"\s*:')
# Escaped keys, sealed parts, and saved places, whose time is when they were saved.
_HIDDEN = re.compile(rb"\\u00[2-7]|\"encrypted\"|\"waypoints?\"", re.IGNORECASE)
# The name of a network whose owner wants it on no map; escapes could hide it.
_OPTED_OUT = re.compile(rb'_nomap|"SSID".*\\u00', re.IGNORECASE | re.DOTALL)


def instants_told(rejection: Rejection, payload: bytes, received_s: float) -> Sequence[float]:
    """Return the instants that decide whether a payload may be kept: all have to be on duty.

    Parameters
    ----------
    rejection : of the message; its own `at_s` counts when the decoder could tell.
    payload : bytes that would be kept.
    received_s : epoch seconds of receipt.

    Returns
    -------
    Epoch seconds; empty when the payload must not be kept whoever is on duty when: no time
    in it, fewer times than positions, one that cannot be read or cannot be true, parts
    that are hidden from a reader of plain bytes, or a network name that opted out.
    """
    if rejection.reason in _NEVER or not payload or _OPTED_OUT.search(payload):
        return ()
    if rejection.at_s is not None:
        found = [rejection.at_s]
    else:
        times = _TIME.findall(payload)
        if b"" in times or _HIDDEN.search(payload) or len(_PLACE.findall(payload)) > len(times):
            return ()
        found = [float(text) for text in times]
    if all(OLDEST_S <= at_s <= received_s + FUTURE_S for at_s in found):
        return found
    return ()


def seal_payload(vault: Vault, payload: bytes, *, tenant_id: int, username: str, key: int) -> bytes:
    """Return a payload as quarantine keeps it: AES-GCM, bound to its row."""
    return vault.seal(payload, context=_context(tenant_id, username, key))


def open_payload(vault: Vault, sealed: bytes, *, tenant_id: int, username: str, key: int) -> bytes:
    """Return the payload of a quarantined message.

    Raises
    ------
    SealBroken : another data key, or the value was moved from another row.
    """
    return vault.open(sealed, context=_context(tenant_id, username, key))


def _context(tenant_id: int, username: str, key: int) -> bytes:
    return f"quarantine.payload|{tenant_id}|{username}|{key}".encode()
