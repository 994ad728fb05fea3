"""OMA Mobile Location Protocol 3.x: write an SLIR, read an SLIA or a report."""

import math
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from xml.sax.saxutils import escape, quoteattr

from server.carriers.codec.angles import instant
from server.carriers.codec.results import OK, number_of
from server.carriers.codec.shapes import NAMES, Disc, other_reference, read_shape
from server.carriers.codec.xml_tree import Element, Malformed, parse

__all__ = ["Ask", "Located", "Malformed", "NamedCell", "NotLocated", "read_answer", "write_slir"]

_ANSWERS: Final = ("slia", "eme_lia", "slrep", "slirep", "emerep", "tlrep", "hlia")
_MAX_POSITIONS: Final = 500
_MAX_CELL: Final = {"gsm": 65_535, "umts": 268_435_455}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One question about one phone.

    Attributes
    ----------
    client_id, password, service_id : credentials at the carrier.
    requestor : name of the group that asks, where the carrier wants one.
    msisdn : digits as the carrier wants them.
    accuracy_m : radius asked for, metres.
    max_age_s : oldest position wanted, seconds.
    """

    client_id: str
    password: str
    service_id: str | None
    msisdn: str
    accuracy_m: int
    max_age_s: int
    requestor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedCell:
    """A radio cell that an answer names; `radio` gsm, umts or lte."""

    radio: str
    mcc: int
    mnc: int
    area: int | None
    cell: int
    timing_advance: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Located:
    """What an answer says of one phone.

    Attributes
    ----------
    msid : as the answer has it; None where it is left out or enciphered.
    fixed_at : instant of the position; None when not told.
    disc : where; None when only cells are named.
    cells : radio cells named beside or instead of the shape.
    """

    msid: str | None
    fixed_at: datetime | None
    disc: Disc | None
    altitude_m: float | None = None
    speed_mps: float | None = None
    course_deg: float | None = None
    cells: tuple[NamedCell, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NotLocated:
    """A refusal for one phone, or for all when `msid` is None; `number` as in the protocol."""

    msid: str | None
    number: int
    name: str
    info: str = ""
    at: datetime | None = None


def write_slir(ask: Ask) -> bytes:
    """Return the request for one phone, MLP 3.1, UTF-8."""
    service = "" if ask.service_id is None else f"<serviceid>{escape(ask.service_id)}</serviceid>"
    requestor = (
        "" if ask.requestor is None else f"<requestor><id>{escape(ask.requestor)}</id></requestor>"
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<!DOCTYPE svc_init SYSTEM "MLP_SVC_INIT_310.DTD">\n'
        '<svc_init ver="3.1.0"><hdr ver="3.0.0">'
        f"<client><id>{escape(ask.client_id)}</id><pwd>{escape(ask.password)}</pwd>{service}"
        f"</client>{requestor}</hdr>"
        '<slir ver="3.0.0" res_type="SYNC">'
        f"<msids><msid type={quoteattr('MSISDN')}>{escape(ask.msisdn)}</msid></msids>"
        f'<eqop><resp_req type="LOW_DELAY"/><hor_acc>{ask.accuracy_m:d}</hor_acc>'
        f"<max_loc_age>{ask.max_age_s:d}</max_loc_age></eqop>"
        '<loc_type type="CURRENT_OR_LAST"/><prio type="NORMAL"/></slir></svc_init>'
    ).encode()


def read_answer(
    document: bytes, *, content_type: str = "", utc_off: str = "0000"
) -> list[Located | NotLocated | Malformed] | Malformed:
    """Read an answer or a report.

    Elements are found by their local name wherever they lie, since servers wrap shapes,
    invent namespaces and name DTDs that do not load.

    Parameters
    ----------
    document : the body as it came.
    content_type : of the transport.
    utc_off : zone of times that name none; the protocol's default is UTC.

    Returns
    -------
    One entry a phone, in order; a refusal of the whole request is one `NotLocated` without
    `msid`; an entry that cannot be read is `Malformed` in its place. `Malformed` alone when
    the document is none. Never raises.
    """
    root = parse(document, content_type=content_type)
    if isinstance(root, Malformed):
        return root
    body = root if root.name in _ANSWERS else root.first(*_ANSWERS)
    if body is None:
        whole = root.first("gem") or root
        refusal = _refusal(whole, msid=None)
        return [refusal] if refusal else Malformed("shape", "no answer of the protocol inside")
    positions = body.all("pos", "trl_pos", "eme_pos")
    if len(positions) > _MAX_POSITIONS:
        return Malformed("size", f"more than {_MAX_POSITIONS} positions")
    if positions:
        return [_position(each, utc_off) for each in positions]
    return [_refusal(body, msid=None) or Malformed("shape", "neither a position nor a reason")]


def _position(pos: Element, utc_off: str) -> Located | NotLocated | Malformed:
    msid = _msid(pos)
    error = pos.first("poserr")
    if error is not None:
        return _refusal(error, msid=msid, utc_off=utc_off) or Malformed(
            "result", "a refusal without its number"
        )
    data = pos.first("pd")
    if data is None:
        return Malformed("shape", "a position without data")
    fixed_at = _time(data, utc_off)
    if isinstance(fixed_at, Malformed):
        return fixed_at
    disc = _disc(data)
    if isinstance(disc, Malformed):
        return disc
    cells = _cells(pos)
    if disc is None and not cells:
        return Malformed("shape", "neither a shape nor a cell")
    speed, course = _number(data, "speed"), _number(data, "direction")
    return Located(
        msid=msid,
        fixed_at=fixed_at,
        disc=disc,
        altitude_m=_number(data, "alt"),
        speed_mps=speed if speed is not None and 0 <= speed <= 400 else None,
        course_deg=course % 360.0 if course is not None and 0 <= course <= 360 else None,
        cells=cells,
    )


def _disc(data: Element) -> Disc | Malformed | None:
    shape = data.first(*NAMES)
    if shape is None:
        return None
    if other_reference(data):
        return Malformed("crs", "coordinates that are not WGS-84")
    return read_shape(shape, confidence_pct=_number(data, "lev_conf"))


def _msid(pos: Element) -> str | None:
    found = pos.first("msid")
    if found is None or found.attributes.get("enc", "ASC").upper() != "ASC":
        return None
    return found.text.strip()[:64] or None


def _time(data: Element, utc_off: str) -> datetime | Malformed | None:
    if len(data.all("time")) > 1:
        return Malformed("time", "time is given twice")
    found = data.first("time")
    if found is None:
        return None
    at = instant(found.text, found.attributes.get("utc_off", utc_off))
    return at or Malformed("time", "a time that is not yyyyMMddHHmmss with an offset")


def _refusal(within: Element, *, msid: str | None, utc_off: str = "0000") -> NotLocated | None:
    """Return the reason inside an element; None when there is none that can be read."""
    result = within.first("result")
    if result is None:
        return None
    name = " ".join(result.text.split())[:200]
    digits = result.attributes.get("resid", "").strip()
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 4):
        return None
    number = number_of(int(digits), name)
    if number == OK:
        return None
    info = within.value("add_info") or ""
    at = _time(within, utc_off)
    return NotLocated(
        msid=msid,
        number=number,
        name=name,
        info=" ".join(info.split())[:300],
        at=None if isinstance(at, Malformed) else at,
    )


def _cells(pos: Element) -> tuple[NamedCell, ...]:
    found = []
    network = _network(pos)
    for cgi in pos.all("cgi"):
        mcc, mnc, cell = (_integer(cgi, name) for name in ("mcc", "mnc", "cellid"))
        area = _integer(cgi, "lac")
        if None in {mcc, mnc, cell} or area is None:
            continue
        assert mcc is not None
        assert mnc is not None
        assert cell is not None
        radio = "gsm" if cell <= _MAX_CELL["gsm"] else "umts"
        if cell <= _MAX_CELL["umts"]:
            advance = _integer(pos, "ta") if radio == "gsm" else None
            found.append(
                NamedCell(
                    radio=radio, mcc=mcc, mnc=mnc, area=area, cell=cell, timing_advance=advance
                )
            )
    for lte in pos.all("lte_net_param"):
        cell = _integer(lte, "eci")
        own = _network(lte) or network
        if cell is not None and own is not None:
            area = _integer(lte, "tac")
            found.append(NamedCell(radio="lte", mcc=own[0], mnc=own[1], area=area, cell=cell))
    return tuple(dict.fromkeys(found))


def _network(within: Element) -> tuple[int, int] | None:
    for plmn in (within, *within.all("plmn")):
        mcc, mnc = _integer(plmn, "mcc"), _integer(plmn, "mnc")
        if mcc is not None and mnc is not None:
            return mcc, mnc
    return None


def _integer(within: Element, name: str) -> int | None:
    text = within.value(name) or ""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 11 else None


def _number(within: Element, name: str) -> float | None:
    try:
        value = float(within.value(name) or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None
