"""A position from cells is no better than its circle, also when somebody's post is judged."""

from hypothesis import given, settings
from hypothesis import strategies as st

from geo.cell_footprint import CellRecord
from geo.cell_identity import Radio, network_code
from geo.cells import CellPlace, CellSeen, locate_cells
from geo.distance import geodesic_m
from geo.fix import Fix, FixArray, Source
from geo.geofence import Geofence
from geo.offpost import OffPostInterval, detect_off_post
from geo.policy import OffPostPolicy, PresencePolicy
from geo.presence import detect_presence
from tests.geo.scenes import DUTY, PLANE, POST, minute

LTE = network_code(Radio.LTE, mcc=460, mnc=0)


def located(*, east_m: float, north_m: float, range_m: float) -> CellPlace:
    """Place of a phone on a cell whose middle is so far from the post."""
    lon, lat = PLANE.inverse(east_m, north_m)
    record = CellRecord(
        network=LTE, area=1, cell=1, lon_deg=float(lon[0]), lat_deg=float(lat[0]),
        range_m=range_m, samples=50,
    )  # fmt: skip
    seen = CellSeen(radio=Radio.LTE, mcc=460, mnc=0, area=1, cell=1)
    found = locate_cells([seen], records=[record], areas=[], now_s=0.0)
    assert isinstance(found, CellPlace)
    return found


def judged(places: list[CellPlace], *, post_radius_m: float) -> tuple[OffPostInterval, ...]:
    fence = Geofence.circle(lon_deg=POST[0], lat_deg=POST[1], radius_m=post_radius_m)
    fixes = FixArray.from_fixes(
        Fix(
            fixed_at=minute(2.0 * i), lon_deg=p.lon_deg, lat_deg=p.lat_deg,
            accuracy_m=p.accuracy_m, source=Source.CELL, key=f"{i:03d}",
        )
        for i, p in enumerate(places)
    )  # fmt: skip
    presence = detect_presence(fixes, fence, [DUTY], policy=PresencePolicy(), as_of=DUTY.end)
    return detect_off_post(
        presence, fixes, fence, duty=[DUTY], policy=OffPostPolicy(), as_of=DUTY.end
    )


@settings(max_examples=60, deadline=None)
@given(
    offsets=st.lists(
        st.tuples(st.floats(-40_000, 40_000), st.floats(-40_000, 40_000)), min_size=1, max_size=12
    ),
    range_m=st.floats(300, 5_000),
    post_radius_m=st.floats(20, 280),
)
def test_cells_that_can_hold_somebody_at_the_post_never_raise_off_post(
    offsets: list[tuple[float, float]], range_m: float, post_radius_m: float
) -> None:
    places = [located(east_m=e, north_m=n, range_m=range_m) for e, n in offsets]
    near = [
        p
        for p in places
        if geodesic_m(lon1_deg=POST[0], lat1_deg=POST[1], lon2_deg=p.lon_deg, lat2_deg=p.lat_deg)
        <= p.accuracy_m
    ]
    assert all(post_radius_m < p.accuracy_m for p in places)
    assert judged(near or [located(east_m=0, north_m=0, range_m=range_m)] * 200,
                  post_radius_m=post_radius_m) == ()  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(
    east_m=st.floats(-80_000, 80_000),
    range_m=st.floats(50, 5_000),
    post_radius_m=st.floats(20, 240),
)
def test_one_cell_fix_alone_never_raises_off_post(
    east_m: float, range_m: float, post_radius_m: float
) -> None:
    place = located(east_m=east_m, north_m=0.0, range_m=range_m)
    assert place.accuracy_m > post_radius_m
    assert judged([place], post_radius_m=post_radius_m) == ()


def test_an_hour_of_cells_that_reach_the_post_raises_nothing() -> None:
    place = located(east_m=900.0, north_m=0.0, range_m=1_200.0)
    assert judged([place] * 60, post_radius_m=150.0) == ()


def test_only_cells_far_from_everything_accuse_nobody() -> None:
    place = located(east_m=30_000.0, north_m=0.0, range_m=1_200.0)
    assert place.accuracy_m > 150.0
    assert judged([place] * 60, post_radius_m=150.0) == ()


def test_cells_far_from_a_post_larger_than_their_error_are_a_lower_grade() -> None:
    place = located(east_m=30_000.0, north_m=0.0, range_m=1_200.0)
    (absence,) = judged([place] * 60, post_radius_m=place.accuracy_m + 100.0)
    assert "cell_only" in absence.reasons
    assert absence.confidence <= OffPostPolicy().cell_only_confidence
