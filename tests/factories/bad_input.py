"""The corpus of bad input: files with places for times, and what has to become of each."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.factories.crew import Phone

FOLDER = Path(__file__).resolve().parents[1] / "corpus"
_COUNTED = ("stored", "duplicate", "ignored", "off_duty")
_NOT_KEPT = frozenset({"cut", "dropped", "refused", "unowned", "status"})
_DISGUISES: dict[str, Callable[[str], str]] = {
    "unknown": "stranger-{}".format,
    "upper": str.upper,
    "confusable": lambda name: name.replace("o", "\N{CYRILLIC SMALL LETTER O}"),
}
_PLACE = re.compile(rb"@NOW(?:(_MS|_ISO)|([+-]\d+))?@")


@dataclass(frozen=True, slots=True)
class Case:
    """One file of the corpus with its expected outcome."""

    name: str
    template: bytes = field(repr=False)
    outcome: dict[str, Any]
    shows: str
    door: dict[str, Any] = field(default_factory=dict)
    credential: str = ""

    def disguise(self, phone: Phone) -> Phone:
        """The phone under the name that this case gives it."""
        change = _DISGUISES.get(self.credential)
        return phone if change is None else replace(phone, username=change(phone.username))

    def payload(self, now: datetime) -> bytes:
        """The message with its times filled in."""
        second = int(now.timestamp())

        def fill(match: re.Match[bytes]) -> bytes:
            if match[1] == b"_MS":
                return str(second * 1000).encode()
            if match[1] == b"_ISO":
                return datetime.fromtimestamp(second, UTC).isoformat().encode()
            return str(second + int(match[2] or 0)).encode()

        return _PLACE.sub(fill, self.template)

    @property
    def records(self) -> int:
        """How many records the ledger has to count."""
        outcome = self.outcome
        counted = [outcome.get(name, 0) for name in _COUNTED]
        counted += [name in outcome for name in ("quarantined", "also")]
        counted += [outcome.get("events", 1)] if "event" in outcome else []
        return int(sum(counted))


def load(door: str) -> list[Case]:
    """The cases that can exist at a door, in the order of the manifest.

    Parameters
    ----------
    door : `mqtt` or `http`. What the manifest says of it alone goes before the outcome: a
        message the door itself turns away leaves nothing behind at the device.
    """
    cases = []
    for entry in _entries():
        special = entry.get(door, {})
        if "file" not in entry or "impossible" in special:
            continue
        cases.append(
            Case(
                Path(entry["file"]).stem,
                (FOLDER / entry["file"]).read_bytes(),
                {} if _NOT_KEPT & special.keys() else entry["outcome"],
                entry["shows"],
                special,
                entry.get("credential", ""),
            )
        )
    return cases


def names_refused() -> list[str]:
    """User names that nobody may enrol."""
    return [name for entry in _entries() for name in entry.get("enrolment", ())]


def unexplained() -> list[str]:
    """Entries that are left out somewhere without a reason, and files without an entry."""
    entries = _entries()
    listed = {entry["file"] for entry in entries if "file" in entry}
    found = {f"messages/{path.name}" for path in (FOLDER / "messages").iterdir()}
    silent = [
        entry["shows"]
        for entry in entries
        if not entry["shows"]
        or ("file" not in entry and not {"enrolment", "not_applicable"} & entry.keys())
        or any(entry.get(door, {}).get("impossible", "x") == "" for door in ("mqtt", "http"))
    ]
    return silent + sorted(listed ^ found)


def _entries() -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = json.loads(
        (FOLDER / "manifest.json").read_text(encoding="utf-8")
    )
    return entries
