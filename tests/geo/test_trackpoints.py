import pytest

from geo.fix import Fix, FixArray, QualityFlag, Source
from geo.policy import TrackPolicy
from geo.trackpoints import Trackpoints, select_trackpoints
from tests.geo.scenes import fix, stay, walk


def select(fixes: list[Fix]) -> Trackpoints:
    return select_trackpoints(FixArray.from_fixes(fixes), policy=TrackPolicy())


def drive(count: int, *, step_m: float = 15.0, every_s: float = 1.0) -> list[Fix]:
    return [fix(i * every_s / 60, i * step_m, accuracy_m=4.0) for i in range(count)]


def test_cell_and_coarse_fixes_never_join_the_line() -> None:
    cell = [fix(0.5, accuracy_m=5, source=Source.CELL), fix(1.5, source=Source.LBS)]
    track = select([*stay(0, 5), *cell, fix(2.5, accuracy_m=500)])
    assert len(track.fixes) == 5
    assert track.coarse == 3


def test_disqualified_fixes_are_counted_apart() -> None:
    doubtful = [
        fix(0.5, mock=True),
        fix(1.5, trigger="p"),
        fix(2.5, flags=QualityFlag.NO_TST),
        fix(3.5, flags=QualityFlag.NULL_ISLAND),
    ]
    track = select([*stay(0, 5), *doubtful])
    assert (len(track.fixes), track.unusable, track.displaced) == (5, 4, 0)
    assert track.accepted.sum() == 5


@pytest.mark.parametrize("run", [1, 2, 10, 50])
def test_out_and_back_at_unreachable_speed_is_rejected(run: int) -> None:
    fixes = stay(0, 30, every_min=1 / 6)
    for i in range(60, 60 + run):
        fixes[i] = fix(i / 6, 250.0, accuracy_m=2.0)
    track = select(fixes)
    assert track.displaced == run
    assert len(track.fixes) == 180 - run


def test_displacement_that_lasts_is_believed() -> None:
    fixes = stay(0, 60, every_min=1 / 6)
    for i in range(60, 180):
        fixes[i] = fix(i / 6, 250.0 + i % 3, accuracy_m=2.0)
    assert select(fixes).displaced == 0


def test_alternating_jumps_leave_the_majority() -> None:
    fixes = stay(0, 10, every_min=1 / 6)
    for i in range(10, 40, 3):
        fixes[i] = fix(i / 6, 250.0, accuracy_m=2.0)
    track = select(fixes)
    assert track.displaced == 10


def test_honest_driving_is_kept() -> None:
    assert select(drive(300)).displaced == 0
    assert select(drive(60, step_m=150, every_s=10)).displaced == 0


def test_turning_round_at_the_end_of_a_road_is_kept() -> None:
    out = drive(100)
    back = [fix((200 - i) / 60, i * 15.0, accuracy_m=4.0) for i in range(99, -1, -1)]
    assert select([*out, *back]).displaced <= 1


def test_a_lone_fix_that_needs_hard_braking_is_rejected_though_the_drive_went_on() -> None:
    fixes = drive(60, step_m=50, every_s=5)
    fixes[30] = fix(30 * 5 / 60, 30 * 50.0, 250.0, accuracy_m=5.0)
    track = select(fixes)
    assert track.displaced == 1
    assert not track.accepted[30]


def test_a_walker_does_not_dash_aside_and_back() -> None:
    walked = drive(60, step_m=80, every_s=60)
    walked[30] = fix(30.0, 30 * 80.0, 400.0, accuracy_m=5.0)
    track = select(walked)
    assert track.displaced == 1
    assert not track.accepted[30]


def test_one_fast_step_aside_and_on_is_kept() -> None:
    # Somebody who walks takes a bus round a corner: fast, but not back.
    walked = drive(30, step_m=80, every_s=60)
    bus = [fix(30 + i, 30 * 80.0 + 400.0 * i, 200.0 * i, accuracy_m=5.0) for i in range(4)]
    assert select([*walked, *bus]).displaced == 0


def test_what_is_displaced_does_not_depend_on_the_order_of_fixes() -> None:
    fixes = drive(60, step_m=50, every_s=5)
    fixes[30] = fix(30 * 5 / 60, 30 * 50.0, 250.0, accuracy_m=5.0)
    again = select(fixes[::-1])
    assert again.fixes.epoch_s.tolist() == select(fixes).fixes.epoch_s.tolist()


def test_walking_away_and_staying_is_kept() -> None:
    track = select([*stay(0, 10), *walk(10, 15, 0, 400), *stay(15, 30, east_m=400)])
    assert track.displaced == 0


def test_one_fix_in_another_city_is_rejected() -> None:
    track = select([*stay(0, 10), fix(10, 80_000.0), *stay(11, 20)])
    assert track.displaced == 1
    at_the_end = select([*stay(0, 10), fix(10, 80_000.0)])
    assert at_the_end.displaced == 1


def test_two_places_with_hours_between_are_both_kept() -> None:
    track = select([*stay(0, 10), *stay(200, 210, east_m=900_000.0)])
    assert track.displaced == 0


def test_most_accurate_of_one_instant() -> None:
    track = select([fix(0, 0, accuracy_m=50), fix(0, 30, accuracy_m=5), fix(1, 0)])
    assert track.accuracy_m.tolist() == [5.0, 12.0]


def test_nothing_and_little() -> None:
    assert len(select([]).fixes) == 0
    assert len(select([fix(0)]).fixes) == 1
    assert len(select([fix(0), fix(1)]).fixes) == 2
