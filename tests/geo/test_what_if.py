from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from geo.what_if import FlipKind, Stretch, compare, totals

NINE = datetime(2026, 11, 18, 1, 0, tzinfo=UTC)
OPPOSITE = {
    FlipKind.APPEARED: FlipKind.DISAPPEARED,
    FlipKind.DISAPPEARED: FlipKind.APPEARED,
    FlipKind.LONGER: FlipKind.SHORTER,
    FlipKind.SHORTER: FlipKind.LONGER,
}


def stretch(start: float, end: float | None, *, seen: float | None = None) -> Stretch:
    """An absence by minutes; `seen` minutes of it were observed."""
    length = (60.0 if end is None else end - start) if seen is None else seen
    ends = None if end is None else NINE + timedelta(minutes=end)
    return Stretch(NINE + timedelta(minutes=start), ends, length * 60.0, margin_m=start)


@st.composite
def verdicts(draw: st.DrawFn) -> list[Stretch]:
    """Disjoint absences of one day, the last of which may still last."""
    cuts = sorted(draw(st.sets(st.integers(0, 540), max_size=12)))
    pairs = list(zip(cuts[::2], cuts[1::2], strict=False))
    found = [stretch(a, b, seen=draw(st.integers(1, b - a))) for a, b in pairs]
    if len(cuts) % 2:
        found.append(stretch(cuts[-1], None))
    return found


@given(verdicts())
def test_the_same_verdicts_flip_nothing(one: list[Stretch]) -> None:
    assert compare(one, list(reversed(one))) == ()


@given(verdicts(), verdicts())
def test_to_swap_the_sides_swaps_the_kinds(one: list[Stretch], other: list[Stretch]) -> None:
    there, back = compare(one, other), compare(other, one)
    assert [(OPPOSITE[f.kind], f.start, f.end, f.after_s, f.before_s) for f in there] == [
        (f.kind, f.start, f.end, f.before_s, f.after_s) for f in back
    ]
    assert [(f.margin_before_m, f.margin_after_m) for f in there] == [
        (f.margin_after_m, f.margin_before_m) for f in back
    ]


@given(verdicts(), verdicts())
def test_flips_account_for_every_second(one: list[Stretch], other: list[Stretch]) -> None:
    flips = compare(one, other)
    apart = sum(s.duration_s for s in other) - sum(s.duration_s for s in one)
    assert abs(sum(f.after_s - f.before_s for f in flips) - apart) < 0.01
    assert [f.start for f in flips] == sorted(f.start for f in flips)


def test_each_kind() -> None:
    before = [stretch(0, 20), stretch(60, 80), stretch(120, 140), stretch(300, 310)]
    after = [stretch(0, 20), stretch(60, 95), stretch(125, 135), stretch(400, None)]
    flips = compare(before, after)
    assert [(f.kind, f.before_s / 60, f.after_s / 60) for f in flips] == [
        (FlipKind.LONGER, 20, 35),
        (FlipKind.SHORTER, 20, 10),
        (FlipKind.DISAPPEARED, 10, 0),
        (FlipKind.APPEARED, 0, 60),
    ]
    assert [f.end for f in flips][-1] is None
    assert (flips[0].margin_before_m, flips[2].margin_after_m) == (60, None)
    assert totals(flips) == {"appeared": 1, "disappeared": 1, "longer": 1, "shorter": 1}


def test_one_absence_that_falls_into_two_is_one_matter() -> None:
    (flip,) = compare([stretch(0, 60)], [stretch(0, 20), stretch(40, 60)])
    assert (flip.kind, flip.before_s, flip.after_s) == (FlipKind.SHORTER, 3600, 2400)


def test_absences_that_only_touch_are_two_matters() -> None:
    flips = compare([stretch(0, 20)], [stretch(20, 40)])
    assert [f.kind for f in flips] == [FlipKind.DISAPPEARED, FlipKind.APPEARED]
