import random

from hypothesis import given, settings
from hypothesis import strategies as st

from geo.distance import geodesic_m
from geo.pins import PinFinding, PinJudgement, SiteStay, judge_pin
from geo.policy import VisitPolicy
from geo.sites import Site
from tests.geo.scenes import PLANE, POST

HERE = Site(*POST, radius_m=100.0)
POLICY = VisitPolicy()


def at(person: str, east_m: float, north_m: float = 0.0) -> SiteStay:
    lon, lat = PLANE.inverse(east_m, north_m)
    return SiteStay(person, float(lon[0]), float(lat[0]), f"{person}:{east_m:.0f}")


def judged(*stays: SiteStay) -> PinJudgement:
    return judge_pin(stays, HERE, policy=POLICY)


def test_three_people_who_agree_on_a_place_beside_the_pin_say_that_it_is_wrong() -> None:
    found = judged(at("a", 180, 10), at("b", 195, -20), at("c", 170, 15))
    assert found.finding is PinFinding.WRONG_PIN
    assert found.place is not None
    lon, lat = PLANE.inverse(180, 10)
    off_m = geodesic_m(
        lon1_deg=found.place[0], lat1_deg=found.place[1], lon2_deg=lon[0], lat2_deg=lat[0]
    )
    assert off_m < 5
    assert found.evidence.figures["people"] == found.evidence.figures["agreeing"] == 3
    assert found.evidence.inputs["visits"] == ["a:180", "b:195", "c:170"]


def test_one_person_elsewhere_while_others_are_at_the_pin_is_a_question_to_that_person() -> None:
    found = judged(at("a", 0), at("b", 40), at("c", 300), at("c", 310), at("c", 305))
    assert found.finding is PinFinding.WRONG_PERSON
    assert found.people_off == ("c",)
    assert found.place is None


def test_who_is_alone_says_nothing_of_the_pin_however_often() -> None:
    found = judged(*(at("a", 200 + n) for n in range(20)))
    assert found.finding is PinFinding.CANNOT_TELL
    assert found.place is None
    assert found.people_off == ()


def test_within_the_radius_is_at_the_pin() -> None:
    assert judged(at("a", 90), at("b", 95), at("c", 92)).finding is PinFinding.FITS


def test_people_at_scattered_places_agree_on_nothing() -> None:
    assert judged(at("a", 200), at("b", -300), at("c", 0, 500)).finding is PinFinding.CANNOT_TELL


def test_without_a_stay_nobody_can_tell() -> None:
    assert judged().finding is PinFinding.CANNOT_TELL
    assert judged(at("a", 5_000), at("b", 5_000), at("c", 5_000)).evidence.figures["people"] == 0


def test_enough_people_at_the_pin_keep_it_where_it_is() -> None:
    away = [at(name, 200 + n) for n, name in enumerate("abc")]
    assert judged(*away, at("d", 0)).finding is PinFinding.WRONG_PIN
    assert judged(*away, at("d", 0), at("e", 10)).finding is not PinFinding.WRONG_PIN


_places = st.lists(
    st.tuples(st.sampled_from("abcdef"), st.integers(-900, 900), st.integers(-900, 900)),
    max_size=25,
)


@settings(max_examples=80, deadline=None)
@given(_places, st.integers(0, 1_000))
def test_order_and_repeats_change_nothing(places: list[tuple[str, int, int]], seed: int) -> None:
    stays = [at(*place) for place in places]
    shuffled = [*stays, *stays[:4]]
    random.Random(seed).shuffle(shuffled)
    assert judged(*stays).evidence.to_bytes() == judged(*shuffled).evidence.to_bytes()
    assert judged(*stays) == judged(*shuffled)


@settings(max_examples=80, deadline=None)
@given(_places)
def test_a_pin_moves_only_on_the_word_of_several_and_only_clear_of_its_radius(
    places: list[tuple[str, int, int]],
) -> None:
    found = judged(*(at(*place) for place in places))
    if found.place is not None:
        assert found.evidence.figures["agreeing"] >= POLICY.pin_min_people
        assert found.evidence.figures["off_m"] > 0
    few = [place for place in places if place[0] in "ab"]
    assert judged(*(at(*place) for place in few)).place is None


@settings(max_examples=60, deadline=None)
@given(st.integers(-900, 900), st.integers(-900, 900), st.integers(1, 30))
def test_one_more_person_moves_a_proposed_pin_by_no_more_than_the_spread(
    east_m: int, north_m: int, times: int
) -> None:
    agreed = [at(name, 200 + 10 * n, 5 * n) for n, name in enumerate("abcd")]
    before = judged(*agreed)
    after = judged(*agreed, *(at("z", east_m, north_m) for _ in range(times)))
    assert before.place is not None
    assert after.place is not None
    moved_m = geodesic_m(
        lon1_deg=before.place[0],
        lat1_deg=before.place[1],
        lon2_deg=after.place[0],
        lat2_deg=after.place[1],
    )
    assert moved_m <= POLICY.pin_spread_m
