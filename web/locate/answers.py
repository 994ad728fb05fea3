"""What the JSON routes of locate now answer; see `web.answers`."""

from typing import Literal

from msgspec import Struct


class LocateStep(Struct):
    """One thing that was tried, in the reader's language."""

    at: float
    outcome: str
    words: str


class LocateAnswer(Struct):
    """Where the person was at `fixed_at`."""

    lon: float
    lat: float
    accuracy_m: float | None
    source: str
    fixed_at: float


class LocateQuestion(Struct):
    """A question where somebody is; the phone is waited for until `due_at`."""

    id: str
    employee_id: str
    state: Literal["asked", "sent", "carrier", "answered", "unanswered", "refused"]
    words: str
    purpose: str
    asked_at: float
    due_at: float
    closed_at: float | None
    answered_by: Literal["phone", "carrier", "cell", "last_known"] | None
    steps: list[LocateStep]
    answer: LocateAnswer | None


class LocateNow(Struct):
    """One's own newest question about a person; no answer is shown while they are off duty."""

    as_of: float
    on_duty: bool
    question: LocateQuestion | None
