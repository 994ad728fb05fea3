"""Names of radio cells: what a phone or a file claims, checked against what its radio allows."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

import numpy as np
import numpy.typing as npt

from geo.fix import IntArray


class Radio(StrEnum):
    """Generations of mobile networks."""

    GSM = "gsm"
    UMTS = "umts"
    LTE = "lte"
    NR = "nr"
    CDMA = "cdma"


class CellRefusal(StrEnum):
    """Why something cannot be the name of a cell."""

    RADIO = "radio_unknown"
    MCC = "mcc_range"
    MNC = "mnc_range"
    AREA_RESERVED = "area_reserved"
    AREA_RANGE = "area_range"
    CELL_RESERVED = "cell_reserved"
    CELL_RANGE = "cell_range"
    INCOMPLETE = "incomplete"


@dataclass(frozen=True, slots=True)
class Limits:
    """What the air interface of a radio leaves room for, both ends included."""

    area_low: int
    area_high: int
    cell_low: int
    cell_high: int


LIMITS: Final[Mapping[Radio, Limits]] = MappingProxyType(
    {
        Radio.GSM: Limits(1, 65_533, 1, 65_535),
        Radio.UMTS: Limits(1, 65_533, 1, 268_435_455),
        Radio.LTE: Limits(1, 65_533, 1, 268_435_454),
        # 24-bit tracking areas and 36-bit cells.
        Radio.NR: Limits(0, 16_777_215, 1, 68_719_476_735),
        # The area is the NID; the SID stands where others have the MNC.
        Radio.CDMA: Limits(0, 65_535, 1, 65_535),
    }
)
RADIOS: Final = tuple(Radio)
"""Order of the integer codes of radios; append only."""
MCC_LOW, MCC_HIGH, MNC_HIGH, SID_HIGH = 200, 799, 999, 32_767
_RESERVED_AREAS: Final = frozenset({-1, 0, 65_534, 65_535, 2_147_483_647})
"""None, deleted, unknown, and what Android says when it does not know."""
_RESERVED_CELLS: Final = frozenset({-1, 0, 268_435_455, 2_147_483_647, 9_223_372_036_854_775_807})
_RADIO_STEP, _MCC_STEP = 1_000_000, 1_000


@dataclass(frozen=True, slots=True, order=True)
class CellId:
    """A cell that can exist.

    Attributes
    ----------
    network : radio, country and operator as one number, see `network_code`.
    area : LAC, TAC or NID; None when the phone did not say.
    cell : CI, UTRAN id, ECI, NCI or BID; None when only the area is known.
    """

    network: int
    area: int | None
    cell: int | None

    @property
    def radio(self) -> Radio:
        """Radio of the network."""
        return RADIOS[self.network // _RADIO_STEP]

    @property
    def is_unique_in_network(self) -> bool:
        """Whether the cell number alone names one cell of its operator.

        So it is in LTE and NR, and in UMTS where the number holds that of the controller;
        there a cell keeps its name when its operator draws the areas anew.
        """
        if self.cell is None:
            return False
        return self.radio in {Radio.LTE, Radio.NR} or (
            self.radio is Radio.UMTS and self.cell > LIMITS[Radio.GSM].cell_high
        )


def network_code(radio: Radio, *, mcc: int | None, mnc: int) -> int:
    """Return radio, MCC and MNC as one number, for keys and indexes.

    Of CDMA the SID counts alone: its messages carry no country, and SIDs are unique.

    Examples
    --------
    >>> network_code(Radio.LTE, mcc=460, mnc=11)
    2460011
    """
    country = 0 if radio is Radio.CDMA or mcc is None else mcc
    return RADIOS.index(radio) * _RADIO_STEP + country * _MCC_STEP + mnc


def network_parts(code: int) -> tuple[Radio, int | None, int]:
    """Return radio, MCC (None for CDMA) and MNC of a `network_code`.

    Examples
    --------
    >>> network_parts(2460011)
    (<Radio.LTE: 'lte'>, 460, 11)
    """
    number, rest = divmod(code, _RADIO_STEP)
    if RADIOS[number] is Radio.CDMA:
        return Radio.CDMA, None, rest
    return RADIOS[number], *divmod(rest, _MCC_STEP)


def network_codes(radio: IntArray, mcc: IntArray, mnc: IntArray) -> IntArray:
    """Return `network_code` of columns ``(n,)``; ``radio`` indexes `RADIOS`."""
    country = np.where(radio == RADIOS.index(Radio.CDMA), 0, mcc)
    return np.asarray(radio * _RADIO_STEP + country * _MCC_STEP + mnc, dtype=np.int64)


def check_identity(
    *, radio: Radio | None, mcc: int | None, mnc: int | None, area: int | None, cell: int | None
) -> tuple[CellId, ...] | CellRefusal:
    """Check a claimed cell against the ranges and sentinels of its radio.

    Parameters
    ----------
    radio : None when the client does not say; then every radio that has room for the numbers
        and a country code is possible.
    mcc, mnc : of the operator; CDMA has the SID in ``mnc`` and needs no ``mcc``.
    area, cell : either may be None, not both.

    Returns
    -------
    Possible identities, one unless the radio is unknown; or the first thing wrong.
    """
    if radio is None:
        answers = [
            check_identity(radio=candidate, mcc=mcc, mnc=mnc, area=area, cell=cell)
            for candidate in (Radio.GSM, Radio.UMTS, Radio.LTE, Radio.NR)
        ]
        found = tuple(c for answer in answers if isinstance(answer, tuple) for c in answer)
        refusals = [answer for answer in answers if isinstance(answer, CellRefusal)]
        return found or refusals[0]
    limits = LIMITS[radio]
    if radio is not Radio.CDMA and (mcc is None or not MCC_LOW <= mcc <= MCC_HIGH):
        return CellRefusal.MCC
    low, high = (1, SID_HIGH) if radio is Radio.CDMA else (0, MNC_HIGH)
    if mnc is None or not low <= mnc <= high:
        return CellRefusal.MNC
    if area is None and cell is None:
        return CellRefusal.INCOMPLETE
    if area is not None and not limits.area_low <= area <= limits.area_high:
        return CellRefusal.AREA_RESERVED if area in _RESERVED_AREAS else CellRefusal.AREA_RANGE
    if cell is not None and not limits.cell_low <= cell <= limits.cell_high:
        return CellRefusal.CELL_RESERVED if cell in _RESERVED_CELLS else CellRefusal.CELL_RANGE
    return (CellId(network_code(radio, mcc=mcc, mnc=mnc), area, cell),)


REFUSALS: Final = tuple(CellRefusal)
"""Order of the codes that `refusal_codes` answers with, from 1 on."""


def refusal_codes(
    radio: IntArray, mcc: IntArray, mnc: IntArray, area: IntArray, cell: IntArray
) -> npt.NDArray[np.int8]:
    """Check columns of a cell file, where every number is given.

    Parameters
    ----------
    radio : ``(n,)`` index into `RADIOS`, anything else for an unknown radio.
    mcc, mnc, area, cell : ``(n,)`` whole numbers.

    Returns
    -------
    ``(n,)``: 0 for a possible cell, else 1 + index into `REFUSALS`. The same answers as
    `check_identity`.
    """
    known = (radio >= 0) & (radio < len(RADIOS))
    index = np.where(known, radio, 0)
    cdma = index == RADIOS.index(Radio.CDMA)
    area_low, area_high, cell_low, cell_high = (column.take(index) for column in _LIMIT_COLUMNS)
    codes = np.zeros(len(radio), dtype=np.int8)

    def refuse(where: npt.NDArray[np.bool_], why: CellRefusal) -> None:
        codes[where & (codes == 0)] = 1 + REFUSALS.index(why)

    refuse(~known, CellRefusal.RADIO)
    refuse(~cdma & ((mcc < MCC_LOW) | (mcc > MCC_HIGH)), CellRefusal.MCC)
    refuse((mnc < cdma) | (mnc > np.where(cdma, SID_HIGH, MNC_HIGH)), CellRefusal.MNC)
    for column, low, high, reserved, which in (
        (area, area_low, area_high, _RESERVED_AREAS, CellRefusal.AREA_RESERVED),
        (cell, cell_low, cell_high, _RESERVED_CELLS, CellRefusal.CELL_RESERVED),
    ):
        off = (column < low) | (column > high)
        if off.any():
            refuse(off & np.isin(column, list(reserved)), which)
            refuse(off, REFUSALS[REFUSALS.index(which) + 1])
    return codes


_LIMIT_COLUMNS: Final = tuple(
    np.array([getattr(limits, name) for limits in LIMITS.values()])
    for name in ("area_low", "area_high", "cell_low", "cell_high")
)
