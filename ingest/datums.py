"""Positions of devices that speak another datum become WGS-84, once, on the way in.

The message as it came stays beside the position, so nothing is lost.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np

from geo.crs import Datum, convert, convert_point
from ingest.senders import Sender
from server.tracking.columns import FixTable


def fixes_to_wgs84(fixes: FixTable, senders: Iterable[Sender]) -> None:
    """Convert the fixes of a batch in place, whose devices were enrolled with another datum.

    Costs nothing when all speak WGS-84.
    """
    others: dict[Datum, list[int]] = {}
    for sender in senders:
        if sender.entry is not None and sender.entry.datum is not Datum.WGS84:
            others.setdefault(sender.entry.datum, []).append(sender.device_no)
    for datum, numbers in others.items():
        mine = np.flatnonzero(np.isin(fixes.rows["device_no"], numbers))
        if len(mine):
            fixes.rows["lon_deg"][mine], fixes.rows["lat_deg"][mine] = convert(
                fixes.rows["lon_deg"][mine],
                fixes.rows["lat_deg"][mine],
                source=datum,
                target=Datum.WGS84,
            )


def body_to_wgs84(body: dict[str, Any], sender: Sender) -> dict[str, Any]:
    """Return what an event says with its place, if it tells one, in WGS-84."""
    datum = Datum.WGS84 if sender.entry is None else sender.entry.datum
    lon, lat = body.get("lon"), body.get("lat")
    if datum is Datum.WGS84 or not (isinstance(lon, float | int) and isinstance(lat, float | int)):
        return body
    lon, lat = convert_point(lon_deg=lon, lat_deg=lat, source=datum, target=Datum.WGS84)
    return {**body, "lon": lon, "lat": lat}
