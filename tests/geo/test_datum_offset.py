import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.crs import Datum, convert
from geo.datum_offset import find_datum_offset
from geo.distance import LocalPlane
from geo.fix import SOURCES, FixArray, Source

CITIES = {
    "Beijing": (116.39747, 39.908823), "Shenzhen": (114.057865, 22.543096),
    "Urumqi": (87.616848, 43.825592), "Chengdu": (104.066801, 30.572816),
}  # fmt: skip


def day(
    city: tuple[float, float],
    *,
    datum: Datum = Datum.WGS84,
    moved: Source = Source.WIFI,
    east_m: float = 0.0,
    places: int = 6,
    per_place: int = 8,
    noise_m: float = 15.0,
    seed: int = 1,
    accuracy_m: float = 20.0,
    lag_s: float = 5.0,
) -> FixArray:
    """Some places a kilometre apart, each met by satellite and by Wi-Fi in turn."""
    rng = np.random.default_rng(seed)
    plane = LocalPlane(*city)
    n = places * per_place
    east = np.repeat(np.arange(places) * 1_000.0, per_place)
    parts = []
    for source, offset_s in ((Source.GPS, 0.0), (Source.WIFI, lag_s)):
        lon, lat = plane.inverse(
            east + rng.normal(0, noise_m, n) + (east_m if source is moved else 0.0),
            rng.normal(0, noise_m, n),
        )
        if source is moved:
            lon, lat = convert(lon, lat, source=Datum.WGS84, target=datum)
        parts.append((np.arange(n) * 300.0 + offset_s, lon, lat, SOURCES.index(source)))
    return FixArray.from_arrays(
        epoch_s=np.concatenate([p[0] for p in parts]),
        lon_deg=np.concatenate([p[1] for p in parts]),
        lat_deg=np.concatenate([p[2] for p in parts]),
        accuracy_m=np.full(2 * n, accuracy_m),
        source=np.concatenate([np.full(n, p[3]) for p in parts]),
        keys=[str(i) for i in range(2 * n)],
    )


@pytest.mark.parametrize("city", CITIES)
@pytest.mark.parametrize("datum", [Datum.GCJ02, Datum.BD09])
@pytest.mark.parametrize("moved", [Source.GPS, Source.WIFI])
def test_a_source_in_another_datum_is_found_and_named(
    city: str, datum: Datum, moved: Source
) -> None:
    found = find_datum_offset(day(CITIES[city], datum=datum, moved=moved))
    assert found is not None
    assert (found.source, found.datum) == (moved, datum)
    assert found.against is ({Source.GPS, Source.WIFI} - {moved}).pop()
    assert 200 < found.offset_m < 1_500
    assert (found.pairs, found.places) == (48, 6)


@pytest.mark.parametrize("city", CITIES)
def test_sources_that_agree_are_fine(city: str) -> None:
    assert find_datum_offset(day(CITIES[city])) is None


def test_an_offset_of_no_datum_is_flagged_without_a_name() -> None:
    found = find_datum_offset(day(CITIES["Shenzhen"], east_m=400.0))
    assert found is not None
    assert (found.source, found.against, found.datum) == (Source.WIFI, Source.GPS, None)
    assert found.offset_m == pytest.approx(400, abs=15)
    assert found.bearing_deg == pytest.approx(90, abs=3)
    assert found.agreeing == 1.0


def test_an_offset_at_one_place_only_proves_nothing() -> None:
    fixes = day(CITIES["Shenzhen"], datum=Datum.GCJ02, places=1, per_place=60)
    assert find_datum_offset(fixes) is None


def test_a_few_pairs_prove_nothing() -> None:
    assert find_datum_offset(day(CITIES["Shenzhen"], datum=Datum.GCJ02, per_place=1)) is None


def test_wild_wifi_is_no_datum() -> None:
    assert find_datum_offset(day(CITIES["Shenzhen"], noise_m=400.0)) is None


def test_coarse_or_distant_fixes_are_not_compared() -> None:
    coarse = day(CITIES["Shenzhen"], datum=Datum.GCJ02, accuracy_m=800.0)
    assert find_datum_offset(coarse) is None
    apart = day(CITIES["Shenzhen"], datum=Datum.GCJ02, lag_s=120.0)
    assert find_datum_offset(apart) is None


def test_outside_china_there_is_nothing_to_find() -> None:
    assert find_datum_offset(day((24.945, 60.17), datum=Datum.GCJ02)) is None


@settings(deadline=None)
@given(seed=st.integers(0, 1_000), order=st.integers(0, 1_000))
def test_honest_phones_are_never_flagged_and_order_never_matters(seed: int, order: int) -> None:
    fixes = day(CITIES["Beijing"], seed=seed, noise_m=30.0)
    assert find_datum_offset(fixes) is None
    shifted = day(CITIES["Beijing"], seed=seed, datum=Datum.GCJ02)
    index = np.random.default_rng(order).permutation(len(shifted))
    shuffled = FixArray.from_arrays(
        epoch_s=shifted.epoch_s[index], lon_deg=shifted.lon_deg[index],
        lat_deg=shifted.lat_deg[index], accuracy_m=shifted.accuracy_m[index],
        source=shifted.source[index], keys=shifted.keys[index],
    )  # fmt: skip
    assert find_datum_offset(shuffled) == find_datum_offset(shifted)
