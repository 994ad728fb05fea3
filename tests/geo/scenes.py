"""Scenes of a working day: a post in Shenzhen, fixes placed in metres round it."""

import random
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from geo.distance import LocalPlane
from geo.fix import Fix, FixArray, QualityFlag, Source
from geo.gaps import Window
from geo.geofence import Geofence
from geo.offpost import OffPostInterval, detect_off_post
from geo.policy import OffPostPolicy, PresencePolicy
from geo.presence import Presence, State, detect_presence

POST = (114.0579, 22.5431)
PLANE = LocalPlane(*POST)
FENCE = Geofence.circle(lon_deg=POST[0], lat_deg=POST[1], radius_m=100.0)
NINE = datetime(2026, 11, 18, 1, 0, tzinfo=UTC)
DUTY = Window(NINE, NINE + timedelta(hours=8))


def minute(value: float) -> datetime:
    """Instant so many minutes after nine o'clock."""
    return NINE + timedelta(minutes=value)


def fix(
    at_min: float,
    east_m: float = 0.0,
    north_m: float = 0.0,
    *,
    accuracy_m: float | None = 12.0,
    source: Source = Source.GPS,
    flags: QualityFlag = QualityFlag.NONE,
    trigger: str | None = None,
    battery_pct: int | None = None,
    mock: bool | None = None,
) -> Fix:
    """Fix at so many minutes after nine, so many metres from the post."""
    lon, lat = PLANE.inverse(east_m, north_m)
    return Fix(
        fixed_at=minute(at_min),
        lon_deg=float(lon[0]),
        lat_deg=float(lat[0]),
        accuracy_m=accuracy_m,
        source=source,
        flags=flags,
        trigger=trigger,
        battery_pct=battery_pct,
        mock=mock,
        key=f"m{at_min:.4f}-{source.value}-{east_m:.1f}",
    )


def stay(
    start_min: float,
    end_min: float,
    *,
    east_m: float = 0.0,
    every_min: float = 1.0,
    jitter_m: float = 8.0,
    seed: int = 1,
    accuracy_m: float | None = 12.0,
    source: Source = Source.GPS,
) -> list[Fix]:
    """Fixes round one place, jittering, from start up to but not including end."""
    dice = random.Random(f"{seed}/{start_min}/{east_m}")
    count = round((end_min - start_min) / every_min)
    return [
        fix(
            start_min + i * every_min,
            east_m + dice.gauss(0.0, jitter_m),
            dice.gauss(0.0, jitter_m),
            accuracy_m=accuracy_m,
            source=source,
        )
        for i in range(count)
    ]


def walk(start_min: float, end_min: float, from_m: float, to_m: float) -> list[Fix]:
    """Fixes every 20 s along a straight line east of the post, end not included."""
    count = round((end_min - start_min) * 3)
    return [fix(start_min + i / 3, from_m + (to_m - from_m) * i / count) for i in range(count)]


def judge(
    fixes: Iterable[Fix],
    *,
    fence: Geofence = FENCE,
    duty: Sequence[Window] = (DUTY,),
    excused: Sequence[Window] = (),
    as_of: datetime | None = None,
    off_post: OffPostPolicy | None = None,
) -> tuple[Presence, tuple[OffPostInterval, ...]]:
    """Presence and absences of a scene."""
    columns = FixArray.from_fixes(fixes)
    now = as_of or max(w.end for w in duty)
    presence = detect_presence(columns, fence, duty, policy=PresencePolicy(), as_of=now)
    found = detect_off_post(
        presence,
        columns,
        fence,
        duty=duty,
        excused=excused,
        policy=off_post or OffPostPolicy(),
        as_of=now,
    )
    return presence, found


def minutes_in(presence: Presence, state: State) -> float:
    """Minutes of one state."""
    spans = (i.end - i.start for i in presence.intervals if i.state is state)
    return sum((s.total_seconds() for s in spans), 0.0) / 60.0


def left_for(minutes: float, *, leaving_at: float = 120.0) -> list[Fix]:
    """Full day at the post with one absence 400 m away, counted from edge to edge."""
    back = leaving_at + minutes
    return [
        *stay(0, leaving_at - 2),
        *walk(leaving_at - 2, leaving_at + 3, 0.0, 400.0),
        *stay(leaving_at + 3, back - 3, east_m=400.0),
        *walk(back - 3, back + 2, 400.0, 0.0),
        *stay(back + 2, 480),
    ]
