"""Positions of devices that speak another datum become WGS-84, once, on the way in.

The message as it came stays beside the position, so nothing is lost.
"""

from collections.abc import Collection
from typing import Any, Final

import numpy as np

from geo.crs import Datum, convert, convert_point
from geo.fix import SOURCES
from ingest.devices import DeviceEntry
from ingest.senders import Sender
from server.tracking.columns import SOURCE_CODES, FixTable

_DATUMS: Final = (Datum.WGS84, *(datum for datum in Datum if datum is not Datum.WGS84))


def fixes_to_wgs84(fixes: FixTable, senders: Collection[Sender]) -> None:
    """Convert the fixes of a batch in place whose device, or source of it, speaks another datum.

    Costs nothing when all speak WGS-84.
    """
    others = {
        sender.device_no: sender.entry
        for sender in senders
        if sender.entry is not None
        and (sender.entry.datum is not Datum.WGS84 or sender.entry.source_datums)
    }
    if not others:
        return
    rows = fixes.rows
    count = 1 + max(sender.device_no for sender in senders)
    spoken = np.zeros((count, len(SOURCES) + 1), dtype=np.int8)
    for number, entry in others.items():
        spoken[number] = _row(entry)
    datum_of = spoken[rows["device_no"], rows["source"]]
    for code, datum in enumerate(_DATUMS[1:], start=1):
        mine = np.flatnonzero(datum_of == code)
        if len(mine):
            rows["lon_deg"][mine], rows["lat_deg"][mine] = convert(
                rows["lon_deg"][mine], rows["lat_deg"][mine], source=datum, target=Datum.WGS84
            )


def _row(entry: DeviceEntry) -> list[int]:
    codes = [_DATUMS.index(entry.datum)] * (len(SOURCES) + 1)
    for source, datum in entry.source_datums.items():
        codes[SOURCE_CODES[source]] = _DATUMS.index(datum)
    return codes


def body_to_wgs84(body: dict[str, Any], sender: Sender) -> dict[str, Any]:
    """Return what an event says with its place, if it tells one, in WGS-84.

    An event does not tell its source; the datum is that of the device.
    """
    datum = Datum.WGS84 if sender.entry is None else sender.entry.datum
    lon, lat = body.get("lon"), body.get("lat")
    if datum is Datum.WGS84 or not (isinstance(lon, float | int) and isinstance(lat, float | int)):
        return body
    lon, lat = convert_point(lon_deg=lon, lat_deg=lat, source=datum, target=Datum.WGS84)
    return {**body, "lon": lon, "lat": lat}
