"""Google-compatible geolocate services: Google, Ichnaea, BeaconDB and their like."""

from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import quote

from geo.crs import Datum, convert_point
from server.carriers.codec import geolocate as codec
from server.carriers.codec.geolocate import NotPlaced, SeenCell, SeenNetwork
from server.carriers.codec.xml_tree import Malformed
from server.carriers.egress import Trouble
from server.carriers.providers import Line, RadioPlace, Refused
from server.carriers.rules import RefusalCode


class Geolocate:
    """Asks a geolocate service; the key goes into the address, as all of them want it."""

    def place(
        self, line: Line, *, cells: Sequence[SeenCell], networks: Sequence[SeenNetwork]
    ) -> RadioPlace | Refused:
        """Ask where cells and networks are; see `LocatesRadio`."""
        key = line.credentials.get("key", "")
        joint = "&" if "?" in line.url else "?"
        url = f"{line.url}{joint}key={quote(key, safe='')}" if key else line.url
        answer = line.egress.post(
            url,
            codec.write_request(cells, networks),
            headers={"Content-Type": "application/json", "Accept": "application/json"},
            limits=line.options.limits,
        )
        if isinstance(answer, Trouble):
            return Refused(answer.code, answer.detail)
        read = codec.read_answer(answer.status, answer.body)
        if isinstance(read, Malformed):
            return Refused(RefusalCode.BAD_ANSWER, read.detail)
        if isinstance(read, NotPlaced):
            return Refused(read.code, read.detail)
        lon_deg, lat_deg = convert_point(
            lon_deg=read.disc.lon_deg,
            lat_deg=read.disc.lat_deg,
            source=line.options.datum,
            target=Datum.WGS84,
        )
        return RadioPlace(replace(read.disc, lon_deg=lon_deg, lat_deg=lat_deg), read.area)
