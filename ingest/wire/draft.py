"""One position or scan while it is being read: checked fields, and the doubts about others."""

from collections.abc import Mapping
from typing import Any

import orjson

from geo.fix import QualityFlag, Source
from ingest.wire import RadioScan, Reason, Rejection, WireFix
from ingest.wire.cells import Surroundings
from ingest.wire.instants import Envelope, judged
from ingest.wire.numbers import NotANumberError, number
from ingest.wire.owntracks import key_of

MAX_ACCURACY_M = 100_000.0
MAX_SPEED_MPS = 277.5
KNOT_MPS = 1_852 / 3_600
_NULLED = int(QualityFlag.FIELD_NULLED)
_NO_ACCURACY = int(QualityFlag.NO_ACCURACY)
_MAX_NAME = 64


class Draft:
    """Turns fields of one message into a `WireFix`, a `RadioScan` or a `Rejection`.

    Tell the time first: a rejection then says what instant the message speaks of.

    Parameters
    ----------
    raw : bytes to keep, and to decode again after a replay.
    key : names the message for good.
    """

    def __init__(self, raw: bytes, key: int, envelope: Envelope) -> None:
        self.raw = raw
        self.key = key
        self.envelope = envelope
        self.flags = 0
        self.fixed_s = float("nan")
        self.heard = Surroundings()
        self.claimed: str | None = None
        self.extras: dict[str, Any] = {}
        self._told_s: float | None = None

    def rejected(self, reason: Reason, detail: str) -> Rejection:
        """Return the rejection of this message."""
        return Rejection(reason, detail, self._told_s, self.key, self.raw)

    def take_time(self, at_s: float | None, *, name: str) -> Rejection | None:
        """Take the instant of the message; None stands for the time of receipt.

        Returns
        -------
        Why the instant cannot be; None when it can.
        """
        if at_s is None:
            received_s = self.envelope.received_s
            self.fixed_s = float("nan") if received_s is None else received_s
            self.flags |= int(QualityFlag.NO_TST)
            return None
        refusal = judged(at_s, self.envelope, name=name)
        if refusal is not None:
            return Rejection(refusal.reason, refusal.detail, refusal.at_s, self.key, self.raw)
        self.fixed_s = self._told_s = round(at_s, 6)
        return None

    def take_claim(self, name: Any, *, is_ours: bool = False) -> None:
        """Take the name the payload gives the device.

        Parameters
        ----------
        is_ours : whether we set that name up, so that another one deserves a flag.
        """
        if type(name) is int:
            name = str(name)
        if type(name) is not str or not name or len(name) > _MAX_NAME or not name.isprintable():
            return
        self.claimed = name
        if is_ours and self.envelope.username not in (None, name):
            self.flags |= int(QualityFlag.CLAIM_MISMATCH)

    def place(self, lat: Any, lon: Any) -> tuple[float, float] | Rejection | None:
        """Return `(lon, lat)` in degrees, None when the message has neither."""
        try:
            lat_deg, lon_deg = number(lat), number(lon)
        except NotANumberError as error:
            return self.rejected(Reason.TYPE, f"latitude or longitude: {error}")
        if lat_deg is None and lon_deg is None:
            return None
        if lat_deg is None or lon_deg is None:
            return self.rejected(Reason.TYPE, "latitude or longitude is missing")
        if not (-90.0 <= lat_deg <= 90.0 and -180.0 <= lon_deg <= 180.0):
            hint = "; swapped?" if abs(lon_deg) <= 90.0 < abs(lat_deg) <= 180.0 else ""
            return self.rejected(Reason.RANGE, "not on Earth" + hint)
        return lon_deg, lat_deg

    def measure(
        self, value: Any, low: float, high: float, *, scale: float = 1.0, negative: bool = False
    ) -> float | None:
        """Return an optional field in our unit; what cannot be true is None and flagged.

        Parameters
        ----------
        low, high : inclusive limits, after scaling.
        scale : our unit in the client's.
        negative : whether any negative number says "unknown"; -1 always does where it could
            not be true.
        """
        if value is None or value == "":
            return None
        try:
            found = number(value)
        except NotANumberError:
            found = None
        if found is not None:
            if found < 0 <= low and (negative or found == -1):
                return None
            found *= scale
            if low <= found <= high:
                return found
        self.flags |= _NULLED
        return None

    def accuracy(self, value: Any) -> float | None:
        """Return a radius in metres; 0 and negative ones mean unknown."""
        return self.measure(value, 0.0, MAX_ACCURACY_M, negative=True) or None

    def truth(self, value: Any) -> bool | None:
        """Return a truth value, also from text; None when it is none."""
        if type(value) is bool:
            return value
        found = {"true": True, "1": True, "false": False, "0": False}.get(
            str(value).lower() if type(value) in (str, int) else ""
        )
        if found is None and value not in (None, ""):
            self.flags |= _NULLED
        return found

    def fix(
        self,
        place: tuple[float, float],
        *,
        accuracy_m: float | None = None,
        altitude_m: float | None = None,
        speed_mps: float | None = None,
        course_deg: float | None = None,
        battery_pct: float | None = None,
        charging: bool | None = None,
        mock: bool | None = None,
        source: Source = Source.GPS,
    ) -> WireFix:
        """Return the position with what was heard around it."""
        if accuracy_m is None:
            self.flags |= _NO_ACCURACY
        if mock:
            self.flags |= int(QualityFlag.MOCK)
        return WireFix(
            fixed_s=self.fixed_s,
            lon_deg=place[0],
            lat_deg=place[1],
            key=self.key,
            raw=self.raw,
            accuracy_m=accuracy_m,
            altitude_m=altitude_m,
            speed_mps=speed_mps,
            course_deg=course_deg,
            battery_pct=None if battery_pct is None else round(battery_pct),
            source=source,
            mock=mock,
            flags=self.flags,
            charging=charging,
            cells=self.heard.cells,
            wifi=self.heard.wifi,
            dropped=self.heard.dropped,
            claimed=self.claimed,
            extras=self.extras or None,
        )

    def scan(
        self,
        *,
        battery_pct: float | None = None,
        charging: bool | None = None,
        mock: bool | None = None,
    ) -> RadioScan | Rejection:
        """Return what was heard without a position; a rejection when that is nothing at all."""
        heard = self.heard
        if not (heard.cells or heard.wifi or heard.dropped):
            return self.rejected(Reason.TYPE, "neither a position nor a cell")
        return RadioScan(
            fixed_s=self.fixed_s,
            key=self.key,
            raw=self.raw,
            cells=heard.cells,
            wifi=heard.wifi,
            dropped=heard.dropped,
            battery_pct=None if battery_pct is None else round(battery_pct),
            charging=charging,
            mock=mock,
            flags=self.flags,
            claimed=self.claimed,
            extras=self.extras or None,
        )


def canonical_key(message: Mapping[str, Any] | list[Any]) -> int:
    """Return the key of a message by its content, whatever order its members have."""
    return key_of(orjson.dumps(message, option=orjson.OPT_SORT_KEYS))


def object_at(parent: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return a member that should be an object; an empty one when it is missing or is none."""
    found = parent.get(name)
    return found if isinstance(found, dict) else {}
