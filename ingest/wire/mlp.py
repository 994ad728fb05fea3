"""Answers of carriers in the Mobile Location Protocol, in the words of messages of phones.

No door takes these; carriers are asked by `server.carriers`. This is for looking at one.
"""

import hashlib
import math
from dataclasses import dataclass

from geo.fix import QualityFlag, Source, to_epoch_s
from ingest.wire import RadioScan, WireFix
from ingest.wire.cells import Surroundings
from server.carriers.codec import le2
from server.carriers.codec.mlp import Located, Malformed, NotLocated, read_answer
from server.carriers.codec.results import meaning_of


@dataclass(frozen=True, slots=True)
class Refused:
    """A phone that is not located, or an answer that cannot be read.

    Attributes
    ----------
    reason : what it means, `server.carriers.rules.RefusalCode`, or why it cannot be read.
    detail : the carrier's number and words.
    device : the number asked about; None for all of a request.
    """

    reason: str
    detail: str
    device: str | None = None


def decode(document: bytes) -> list[WireFix | RadioScan | Refused]:
    """Read an SLIA or a report.

    Parameters
    ----------
    document : as it came; one that calls itself version 2 is read as Chinese carriers mean
        it, leniently.

    Returns
    -------
    One entry a phone, in order. `fixed_s` is NaN when no time is told; `accuracy_m` is a
    radius of 95 %. An answer that only names a cell is a scan. Never raises.
    """
    found = le2.read_answer(document) if le2.is_dialect(document) else read_answer(document)
    if isinstance(found, Malformed):
        return [Refused(found.reason, found.detail)]
    return [_entry(entry, document) for entry in found]


def _entry(
    entry: Located | NotLocated | Malformed, document: bytes
) -> WireFix | RadioScan | Refused:
    if isinstance(entry, Malformed):
        return Refused(entry.reason, entry.detail)
    if isinstance(entry, NotLocated):
        words = f"{entry.number} {entry.name} {entry.info}".strip()
        return Refused(meaning_of(entry.number).value, words, entry.msid)
    heard = Surroundings()
    for cell in entry.cells:
        heard.add_cell(
            cell.radio,
            mcc=cell.mcc,
            mnc=cell.mnc,
            area=cell.area,
            cell=cell.cell,
            timing_advance=cell.timing_advance,
            serving=True,
        )
    fixed_s = math.nan if entry.fixed_at is None else to_epoch_s(entry.fixed_at)
    flags = QualityFlag.NO_TST if entry.fixed_at is None else QualityFlag.NONE
    named = f"{entry.msid}\n".encode() + document
    key = int.from_bytes(hashlib.sha256(named).digest()[:8], "big", signed=True)
    disc = entry.disc
    if disc is None:
        return RadioScan(
            fixed_s=fixed_s,
            key=key,
            raw=document,
            cells=heard.cells,
            dropped=heard.dropped,
            flags=int(flags),
            claimed=entry.msid,
        )
    if disc.accuracy_m is None:
        flags |= QualityFlag.NO_ACCURACY
    return WireFix(
        fixed_s=fixed_s,
        lon_deg=disc.lon_deg,
        lat_deg=disc.lat_deg,
        key=key,
        raw=document,
        accuracy_m=disc.accuracy_m,
        altitude_m=entry.altitude_m,
        speed_mps=entry.speed_mps,
        course_deg=entry.course_deg,
        source=Source.LBS,
        flags=int(flags),
        cells=heard.cells,
        dropped=heard.dropped,
        claimed=entry.msid,
    )
