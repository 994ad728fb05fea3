"""What the JSON route of imports answers."""

from typing import Literal

from msgspec import Struct


class ImportProgress(Struct):
    """How far a file is; `rows_total` is an estimate, null when nobody knows."""

    state: Literal["received", "checking", "checked", "refused", "applying", "applied", "discarded"]
    rows_done: int
    rows_total: int | None
