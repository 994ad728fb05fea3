"""Named places where a test may end the process as a crash would."""

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ingest.attempts import Received
from server.settings import Environment

NAMES = ("after_insert", "before_commit", "after_commit", "before_ack", "mid_batch_ack")
_FLUSH_S = 0.05
_EXIT_CODE = 137


@dataclass(frozen=True, slots=True)
class Failpoints:
    """Ends the process at one named place, from the n-th visit on; inert in production."""

    name: str | None = None
    crash_text: bytes | None = None

    @classmethod
    def from_environ(cls, environ: Mapping[str, str], environment: Environment) -> "Failpoints":
        """Read OUTPOST_FAILPOINT, and OUTPOST_CRASH_TEXT: bytes of a message that kill.

        Both are ignored unless the environment is `test`.
        """
        if environment is not Environment.TEST:
            return cls()
        text = environ.get("OUTPOST_CRASH_TEXT")
        return cls(environ.get("OUTPOST_FAILPOINT") or None, text.encode() if text else None)

    def reach(self, name: str) -> None:
        """Die here when this is the chosen place."""
        if self.name == name:
            os._exit(_EXIT_CODE)

    @property
    def acks_half(self) -> bool:
        """Whether only half of a batch is to be acknowledged before dying."""
        return self.name == "mid_batch_ack"

    def after_half(self) -> None:
        """Give the network thread time to send half of the acknowledgements, then die."""
        time.sleep(_FLUSH_S)
        os._exit(_EXIT_CODE)

    def watcher(self) -> Callable[[Received], None] | None:
        """Return what dies when it is shown a message with the chosen text; None for no text."""
        text = self.crash_text
        if text is None:
            return None

        def see(message: Received) -> None:
            if text in message.payload:
                os._exit(_EXIT_CODE)

        return see
