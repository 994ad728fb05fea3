"""What the JSON route of trials answers."""

from typing import Literal

from msgspec import Struct


class WhatIfProgress(Struct):
    """How far a trial is, in person-days."""

    state: Literal["waiting", "running", "done", "cancelled", "failed"]
    days_done: int
    days_total: int
