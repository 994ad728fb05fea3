"""Where claims learn of roads: tiles on this machine, or Valhalla behind an address.

Positions of people go to that address, so only the operator names it, and nothing is sent but
places, accuracies and seconds since the first of them.
"""

import json
import re
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

from geo.roads import Roads, RoadsUnavailable, RoadsVersion
from geo.valhalla import Valhalla
from geo.valhalla_roads import ValhallaRoads
from geo.verdict import format_utc
from server.carriers.egress import Answer, Egress, Limits, Trouble

_LIMITS: Final = Limits(connect_s=3.0, read_s=10.0, total_s=10.0, max_bytes=4 * 1024 * 1024)
_AT_MOST_S: Final = 60.0
_REST_S: Final = 30.0
_WORD: Final = re.compile(r"[!-~]{1,60}")
_NO_WAY: Final = frozenset({154, 170, 171, 172, 441, 442, 443, 444})
"""Codes by which Valhalla says that there is no way or no road; any other one is a refusal."""


class RoadSource(Protocol):
    """Where to ask for ways."""

    def roads(self) -> AbstractContextManager[Roads]:
        """Return roads for one judgement: the same from its beginning to its end.

        Raises
        ------
        RoadsUnavailable : at the beginning, while asking or at the end; what was learned
            meanwhile is worth nothing then.
        """
        ...


def roads_of(place: str | None) -> RoadSource | None:
    """Return the roads of the setting `OUTPOST_ROADS`; None without it."""
    if place is None:
        return None
    return ServiceRoads(place) if "://" in place else TileRoads(Path(place))


class TileRoads:
    """Tiles in a file, read when they are first needed; replace the file, then start anew."""

    def __init__(self, tiles: Path) -> None:
        self._tiles = tiles
        self._known: ValhallaRoads | None = None

    @contextmanager
    def roads(self) -> Iterator[Roads]:
        """As `RoadSource`."""
        if self._known is None:
            self._known = ValhallaRoads(self._tiles)
        yield self._known


class ServiceRoads:
    """Valhalla over HTTP.

    Parameters
    ----------
    url : of the service, without `/route`.
    limits : of one question.
    at_most_s : of all questions of one judgement.
    rest_s : after a failure nobody is asked for so long, so that a service that is down
        delays the claims behind the first one by nothing.
    """

    def __init__(
        self,
        url: str,
        *,
        limits: Limits = _LIMITS,
        at_most_s: float = _AT_MOST_S,
        rest_s: float = _REST_S,
    ) -> None:
        self._url = url.rstrip("/")
        self._limits = limits
        self._at_most_s = at_most_s
        self._rest_s = rest_s
        self._rests_until = 0.0

    @contextmanager
    def roads(self) -> Iterator[Roads]:
        """As `RoadSource`; tiles that were exchanged meanwhile end it with an error too."""
        now = time.monotonic()
        if now < self._rests_until:
            raise RoadsUnavailable("resting", "the service failed a moment ago")
        try:
            service = _Service(self._url, self._limits, now + self._at_most_s)
            yield service
            service.be_the_same()
        except RoadsUnavailable:
            self._rests_until = time.monotonic() + self._rest_s
            raise


class _Service(Valhalla):
    def __init__(self, url: str, limits: Limits, deadline: float) -> None:
        self._url = url
        self._limits = limits
        self._deadline = deadline
        self._egress = Egress([urlsplit(url).netloc, urlsplit(url).hostname or ""])
        self.version = self.read_version()

    def answer(self, what: str, request: bytes) -> bytes | None:
        """Ask the service."""
        answer = self._post(what, request)
        if answer.status == 200:
            return answer.body
        if answer.status == 400 and _object(answer.body).get("error_code") in _NO_WAY:
            return None
        raise RoadsUnavailable("refused", f"{what}: HTTP {answer.status}")

    def read_version(self) -> RoadsVersion:
        """Ask what answers there: its version, and when its tiles were made."""
        told = _object(self._post("status", b"{}").body)
        program, made_s = told.get("version"), told.get("tileset_last_modified")
        if not isinstance(program, str) or not _WORD.fullmatch(program) or type(made_s) is not int:
            raise RoadsUnavailable("nonsense", "its status is none of Valhalla's with tiles")
        try:
            tiles = format_utc(datetime.fromtimestamp(made_s, UTC))
        except (OverflowError, ValueError, OSError):
            raise RoadsUnavailable("nonsense", "its tiles are of no time") from None
        return RoadsVersion(f"Valhalla {program}", tiles)

    def be_the_same(self) -> None:
        """Raise RoadsUnavailable when something else answers than in the beginning."""
        if self.read_version() != self.version:
            raise RoadsUnavailable("changed", "other tiles than when it began")

    def _post(self, what: str, request: bytes) -> Answer:
        left_s = self._deadline - time.monotonic()
        if left_s <= 0:
            raise RoadsUnavailable("slow", "it took too long altogether")
        answer = self._egress.post(
            f"{self._url}/{what}",
            request,
            headers={"Content-Type": "application/json"},
            limits=replace(self._limits, total_s=min(self._limits.total_s, left_s)),
        )
        if isinstance(answer, Trouble):
            raise RoadsUnavailable(answer.code.value, answer.detail)
        return answer


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    return found if isinstance(found, dict) else {}
