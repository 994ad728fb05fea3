"""The corpus of bad input: files with places for times, and what has to become of each."""

import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[1] / "corpus"
_PLACE = re.compile(rb"@NOW(?:(_MS|_ISO)|([+-]\d+))?@")


@dataclass(frozen=True, slots=True)
class Case:
    """One file of the corpus with its expected outcome."""

    name: str
    template: bytes = field(repr=False)
    outcome: dict[str, Any]
    shows: str

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
        counted = [outcome.get(name, 0) for name in ("stored", "duplicate", "ignored")]
        counted += [name in outcome for name in ("quarantined", "also")]
        counted += [outcome.get("events", 1)] if "event" in outcome else []
        return int(sum(counted))


def load() -> list[Case]:
    """All cases in the order of the manifest."""
    entries = json.loads((FOLDER / "manifest.json").read_text(encoding="utf-8"))
    return [
        Case(
            Path(entry["file"]).stem,
            (FOLDER / entry["file"]).read_bytes(),
            entry["outcome"],
            entry["shows"],
        )
        for entry in entries
    ]
