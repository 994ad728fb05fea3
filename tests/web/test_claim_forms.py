"""What is typed for a line, and a line as typed again."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.claims.rules import read_facts
from server.errors import InvalidInput
from web.claims.forms import line_again, line_of, typed_of

ZONE = "Asia/Shanghai"
DEGREES = st.floats(-80, 80, allow_nan=False).map(lambda number: round(number, 6))
NAMES = st.text("北京 Aa'\"<3", min_size=1, max_size=20).map(str.strip).filter(bool)
AMOUNTS = st.decimals(0, 9_999, places=2).map(str)
MOMENTS = st.datetimes(*map(datetime.fromisoformat, ("2026-01-01", "2026-06-01"))).map(
    lambda at: at.replace(microsecond=0)
)
PLACES = st.builds(
    lambda name, lon, lat, reach: ", ".join([name, str(lon), str(lat), *reach]),
    NAMES,
    DEGREES,
    DEGREES,
    st.lists(st.sampled_from(["5", "12.5"]), max_size=1),
)
SPANS = st.builds(
    lambda at, minutes: {
        "start": at.isoformat(),
        "end": (at + timedelta(minutes=minutes)).isoformat(),
    },
    MOMENTS,
    st.integers(1, 900),
)
DAYS = MOMENTS.map(lambda at: at.date())
TYPED = st.one_of(
    st.builds(
        lambda span, km, stops: {**span, "kind": "mileage", "km": km, "stops": "\n".join(stops)},
        SPANS,
        AMOUNTS,
        st.lists(PLACES, max_size=4),
    ),
    st.builds(
        lambda on, amount, place: {
            "kind": "night", "on": on.isoformat(), "amount": amount, "place": place
        },
        DAYS,
        AMOUNTS,
        PLACES,
    ),
    st.builds(
        lambda on, days, amount, place: {
            "kind": "per_diem",
            "from_on": on.isoformat(),
            "to_on": (on + timedelta(days=days)).isoformat(),
            "amount": amount,
            "place": place,
        },
        DAYS,
        st.integers(0, 20),
        AMOUNTS,
        PLACES,
    ),
    st.builds(
        lambda span, amount, origin, destination: {
            **span,
            "kind": "transport",
            "mode": "train",
            "amount": amount,
            "origin": origin,
            "destination": destination,
        },
        SPANS,
        AMOUNTS,
        PLACES,
        PLACES,
    ),
)  # fmt: skip


@given(TYPED)
def test_a_line_shown_again_and_saved_as_it_is_stays_as_it_is(typed: dict[str, str]) -> None:
    line = line_of(typed, id_="7", zone=ZONE)
    again = typed_of(line, zone=ZONE)
    assert again["line"] == "7"
    assert line_again(line, again, zone=ZONE) == line
    read_facts({"currency": "CNY", "rate_per_km": "1.2", "lines": [line]}, zone=ZONE)


def test_what_a_form_does_not_show_of_a_line_outlives_a_change() -> None:
    place = {"name": "Hof, Bahnhof", "lon": 11.92, "lat": 50.31}
    old: dict[str, Any] = {
        "id": "a",
        "kind": "night",
        "on": "2026-05-04",
        "zone": "Europe/Berlin",
        "amount": "80",
        "receipt": "R-9",
        "place": place,
    }
    typed = typed_of(old, zone=ZONE)
    assert typed["place"] == "Hof  Bahnhof, 11.92, 50.31"
    changed = line_again(old, typed | {"amount": "95"}, zone=ZONE)
    assert changed == old | {"amount": "95", "place": place | {"name": "Hof  Bahnhof"}}


def test_a_place_without_a_name_can_be_shown_and_saved() -> None:
    stop = {"lon": 114.06, "lat": 22.54}
    line = {
        "id": "1",
        "kind": "mileage",
        "start": "2026-05-04T01:00:00Z",
        "end": "2026-05-04T03:30:15Z",
        "km": "46.0",
        "stops": [stop],
    }
    typed = typed_of(line, zone=ZONE)
    assert typed["start"] == "2026-05-04T09:00"
    assert typed["end"] == "2026-05-04T11:30:15"
    again = line_again(line, typed, zone=ZONE)
    assert again["stops"] == [stop | {"name": "22.54 114.06"}]
    assert (again["start"], again["end"]) == (line["start"], line["end"])
    with pytest.raises(InvalidInput, match="bad_place"):
        line_again(line, typed | {"stops": ", 114, 22"}, zone=ZONE)
