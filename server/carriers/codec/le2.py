"""The dialect of Chinese carriers: LE 2.0.0, requests in GB2312, answers read leniently."""

from dataclasses import dataclass
from xml.sax.saxutils import escape

from server.carriers.codec.angles import instant, latitude_deg, longitude_deg
from server.carriers.codec.mlp import Ask, Located, NotLocated
from server.carriers.codec.mlp import read_answer as read_mlp
from server.carriers.codec.results import OK, number_of
from server.carriers.codec.shapes import Disc
from server.carriers.codec.xml_tree import Element, Malformed, parse


@dataclass(frozen=True, slots=True)
class NotInGb2312:
    """A credential that the protocol's encoding cannot carry."""

    name: str


def write_slir(ask: Ask) -> bytes | NotInGb2312:
    """Return the request for one phone, LE 2.0.0, GB2312."""
    for name in ("client_id", "password", "service_id", "requestor", "msisdn"):
        try:
            (getattr(ask, name) or "").encode("gb2312")
        except UnicodeEncodeError:
            return NotInGb2312(name)
    return (
        '<?xml version="1.0" encoding="GB2312"?><svc_init ver="2.0.0"><hdr ver="2.0.0">'
        f"<client><id>{escape(ask.client_id)}</id><pwd>{escape(ask.password)}</pwd>"
        f"<serviceid>{escape(ask.service_id or '')}</serviceid></client>"
        f"<requestor><id>{escape(ask.requestor or '')}</id></requestor></hdr>"
        '<slir ver="2.0.0" res_type="SYNC">'
        f'<msids><msid enc="ASC" type="MSISDN">{escape(ask.msisdn)}</msid></msids>'
        '<eqop><resp_req type="LOW_DELAY"/>'
        f'<hor_acc qos_class="BEST_EFFORT">{ask.accuracy_m:d}</hor_acc></eqop>'
        "<geo_info><CoordinateReferenceSystem><Identifier><code>4326</code>"
        "<codeSpace>EPSG</codeSpace><edition>6.1</edition></Identifier>"
        "</CoordinateReferenceSystem></geo_info>"
        '<loc_type type="CURRENT_OR_LAST"/><prio type="HIGH"/></slir></svc_init>'
    ).encode("gb2312")


def is_dialect(document: bytes) -> bool:
    """Tell whether an answer says of itself that it is LE 2.0.0 and not MLP 3."""
    root = parse(document)
    if isinstance(root, Malformed):
        return False
    versions = [e.attributes["ver"] for e in root.walk() if "ver" in e.attributes]
    return bool(versions) and all(version.startswith("2.") for version in versions)


def read_answer(
    document: bytes, *, content_type: str = "", utc_off: str = "0000"
) -> list[Located | NotLocated | Malformed] | Malformed:
    """Read an answer: as MLP where it is, else by its first result, X and Y.

    Returns
    -------
    As `server.carriers.codec.mlp.read_answer`; one phone is asked about at a time.
    """
    strict = read_mlp(document, content_type=content_type, utc_off=utc_off)
    if not isinstance(strict, Malformed) and not all(
        isinstance(entry, Malformed) and entry.reason == "shape" for entry in strict
    ):
        return strict
    root = parse(document, content_type=content_type)
    if isinstance(root, Malformed):
        return root
    return [_loosely(root, utc_off)]


def _loosely(root: Element, utc_off: str) -> Located | NotLocated | Malformed:
    msid = root.value("msid")
    result = root.first("result")
    if result is not None:
        digits = result.attributes.get("resid", "").strip()
        if not (digits.isascii() and digits.isdigit() and len(digits) <= 4):
            return Malformed("result", "a result without its number")
        name = " ".join(result.text.split())[:200]
        number = number_of(int(digits), name)
        if number != OK:
            info = " ".join((root.value("add_info") or "").split())[:300]
            return NotLocated(msid=msid, number=number, name=name, info=info)
    x, y = root.value("X"), root.value("Y")
    if x is None or y is None:
        return Malformed("shape", "neither a position nor a reason")
    lat, lon = latitude_deg(x), longitude_deg(y)
    if lat is None or lon is None:
        return Malformed("coordinate", "X is no latitude or Y no longitude")
    time = root.first("time")
    at = None if time is None else instant(time.text, time.attributes.get("utc_off", utc_off))
    if time is not None and at is None:
        return Malformed("time", "a time that is not yyyyMMddHHmmss with an offset")
    try:
        radius_m = float(root.value("radius") or "nan")
    except ValueError:
        return Malformed("radius", "radius is no number")
    known = 0.0 < radius_m <= 1_000_000.0
    return Located(msid=msid, fixed_at=at, disc=Disc(lon, lat, radius_m if known else None))
