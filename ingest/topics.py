"""Topics of phones: `owntracks/<user name>/<anything>[/<kind>]`, `survey/<user name>/<kind>`.

Doors other than the broker file what they get under `<format>/<user name>`, so that quarantine
knows how to read it again.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

from ingest.wire import Reason, Rejection

ROOT = "owntracks"
SURVEY = "survey"
FILTERS = (f"{ROOT}/#", f"{SURVEY}/#")
"""What phones may write to, in whole."""
FILTER = FILTERS[0]
CANARY = "outpost/canary/ingest"

KINDS = frozenset(
    {"event", "status", "waypoint", "waypoints", "info", "step", "beacon", "dump", "cmd"}
)
_HTTP_ROOTS = frozenset({"osmand", "overland", "geosubmit"})
_SURVEY_LEVELS = 3
_SURVEY_KIND = re.compile(r"[a-z0-9_]{1,40}_message")
_MAX_BYTES = 256
_USERNAME = re.compile(r"[a-z0-9-]{8,32}")


@dataclass(frozen=True, slots=True)
class Topic:
    """Whose message it is, by the topic the broker let its credential write to.

    Attributes
    ----------
    root : first level; names the format, see `ingest.wire.formats`.
    """

    username: str
    device: str
    kind: str
    root: str = ROOT


@lru_cache(maxsize=65_536)
def parse_topic(topic: str | bytes) -> Topic | Rejection:
    """Split a topic into its parts.

    Parameters
    ----------
    topic : as delivered; compared exactly, case included.

    Returns
    -------
    The parts, `kind` empty for positions; or a `Rejection` with reason `topic`.
    """
    if isinstance(topic, bytes):
        if len(topic) > _MAX_BYTES:
            return Rejection(Reason.TOPIC, f"{len(topic)} bytes long")
        try:
            topic = topic.decode()
        except UnicodeDecodeError:
            return Rejection(Reason.TOPIC, "not UTF-8")
    levels = topic.split("/")
    if levels[0] == SURVEY and len(levels) == _SURVEY_LEVELS and levels[1]:
        if not _SURVEY_KIND.fullmatch(levels[2]) or not topic.isprintable():
            return Rejection(Reason.TOPIC, "unknown last level")
        return Topic(levels[1], "", levels[2], SURVEY)
    if levels[0] in _HTTP_ROOTS and len(levels) == 2 and levels[1]:
        return Topic(levels[1], "", "", levels[0])
    if len(levels) not in (3, 4) or levels[0] != ROOT or not all(levels):
        return Rejection(Reason.TOPIC, f"{len(levels)} levels, expected {ROOT}/user/device")
    if len(levels) == 4 and levels[3] not in KINDS:
        return Rejection(Reason.TOPIC, "unknown last level")
    if not topic.isprintable():
        return Rejection(Reason.TOPIC, "control characters")
    return Topic(levels[1], levels[2], levels[3] if len(levels) == 4 else "")


def is_username(name: str) -> bool:
    """Whether a device could bear this name; confusable and foreign names could not."""
    return _USERNAME.fullmatch(name) is not None
