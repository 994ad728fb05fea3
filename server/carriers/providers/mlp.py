"""Carriers that speak OMA MLP 3.x over HTTP."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from geo.crs import Datum, convert_point
from server.carriers.codec import mlp as codec
from server.carriers.codec.mlp import Ask, Located, Malformed, NotLocated
from server.carriers.codec.results import meaning_of
from server.carriers.egress import Trouble
from server.carriers.numbers import as_asked, same_phone
from server.carriers.providers import Line, Refused
from server.carriers.rules import RefusalCode

Entries = list[Located | NotLocated | Malformed] | Malformed
Read = Callable[[bytes, str], Entries]


class Mlp:
    """Asks one phone at a time with an immediate SLIR."""

    def locate(self, line: Line, *, msisdn: str) -> Located | Refused:
        """Ask where a phone is; see `LocatesPhones`."""

        def read(body: bytes, content_type: str) -> Entries:
            return codec.read_answer(body, content_type=content_type, utc_off=line.options.utc_off)

        body = codec.write_slir(ask_of(line, msisdn))
        return exchange(line, body, "text/xml; charset=UTF-8", msisdn=msisdn, read=read)


def ask_of(line: Line, msisdn: str) -> Ask:
    """Return the question about one number with the provider's settings and credentials."""
    options, secrets = line.options, line.credentials
    return Ask(
        client_id=secrets.get("client_id", ""),
        password=secrets.get("password", ""),
        service_id=secrets.get("service_id") or None,
        requestor=secrets.get("requestor") or None,
        msisdn=as_asked(
            msisdn, country_code=options.country_code, national=options.national_numbers
        ),
        accuracy_m=options.accuracy_m,
        max_age_s=options.max_age_s,
    )


def exchange(
    line: Line, body: bytes, content_type: str, *, msisdn: str, read: Read
) -> Located | Refused:
    """Send a question and choose what the answer says of one number.

    The body decides, whatever the status and the declared type: servers answer refusals
    with 4xx and XML as text/html. A status that is no success counts when the body says
    nothing.
    """
    answer = line.egress.post(
        line.url,
        body,
        headers={"Content-Type": content_type, "Accept": "text/xml, application/xml"},
        limits=line.options.limits,
    )
    if isinstance(answer, Trouble):
        return Refused(answer.code, answer.detail)
    entries = read(answer.body, answer.content_type)
    if isinstance(entries, Malformed):
        if answer.status in {401, 403}:
            return Refused(RefusalCode.UNAUTHORISED, f"HTTP {answer.status}")
        if answer.status != 200:
            return Refused(RefusalCode.HTTP_STATUS, f"HTTP {answer.status}")
        return Refused(RefusalCode.BAD_ANSWER, f"{entries.reason}: {entries.detail}")
    return _about(entries, msisdn, line)


def _about(
    entries: Sequence[Located | NotLocated | Malformed], msisdn: str, line: Line
) -> Located | Refused:
    named = [e for e in entries if not isinstance(e, Malformed) and e.msid is not None]
    mine = [e for e in named if e.msid is not None and same_phone(e.msid, msisdn)]
    if mine:
        entry: Located | NotLocated | Malformed = mine[0]
    elif named:
        return Refused(RefusalCode.OTHER_PHONE)
    elif len(entries) == 1:
        entry = entries[0]
    else:
        return Refused(RefusalCode.BAD_ANSWER, "several positions without numbers")
    if isinstance(entry, Malformed):
        return Refused(RefusalCode.BAD_ANSWER, f"{entry.reason}: {entry.detail}")
    if isinstance(entry, NotLocated):
        said = f"{entry.name} {entry.info}".strip()
        return Refused(meaning_of(entry.number), said, entry.number)
    if entry.disc is None:
        return entry
    lon_deg, lat_deg = convert_point(
        lon_deg=entry.disc.lon_deg,
        lat_deg=entry.disc.lat_deg,
        source=line.options.datum,
        target=Datum.WGS84,
    )
    return replace(entry, disc=replace(entry.disc, lon_deg=lon_deg, lat_deg=lat_deg))
