"""Shapes become a point and a radius that holds all of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo.distance import destination, geodesic_m
from server.carriers.codec.shapes import Disc, read_shape
from server.carriers.codec.xml_tree import Element, Malformed, parse


def shape(text: str) -> Element:
    found = parse(text.encode())
    assert isinstance(found, Element)
    return found


def coord(lon: float, lat: float) -> str:
    return f"<coord><X>{lat:.9f}</X><Y>{lon:.9f}</Y><Z>NaN</Z></coord>"


def disc(text: str, confidence_pct: float | None = None) -> Disc:
    found = read_shape(shape(text), confidence_pct=confidence_pct)
    assert isinstance(found, Disc), found
    return found


BEIJING = coord(116.4, 39.9)


def test_a_circle_with_an_angle_and_a_height_that_is_none() -> None:
    found = disc(f"<CircularArea>{BEIJING}<angle>45</angle><radius>500</radius></CircularArea>")
    assert found == Disc(pytest.approx(116.4), pytest.approx(39.9), 500.0)  # type: ignore[arg-type]


def test_a_bare_point_has_no_radius_and_neither_has_a_circle_of_none() -> None:
    assert disc(f"<Point>{BEIJING}</Point>").accuracy_m is None
    assert disc(f"<CircularArea>{BEIJING}<radius>0</radius></CircularArea>").accuracy_m is None


def test_the_longer_axis_of_an_ellipse_counts() -> None:
    text = (
        "<EllipticalArea>{}<angle>24</angle><semiMajor>{}</semiMajor>"
        "<semiMinor>{}</semiMinor></EllipticalArea>"
    )
    assert disc(text.format(BEIJING, 900, 300)).accuracy_m == 900
    assert disc(text.format(BEIJING, 300, 900)).accuracy_m == 900


def test_an_arc_is_held_by_its_outer_circle() -> None:
    found = disc(
        f"<CircularArcArea>{BEIJING}<inRadius>1100</inRadius><outRadius>1650</outRadius>"
        "<startAngle>30</startAngle><stopAngle>120</stopAngle></CircularArcArea>"
    )
    assert found.accuracy_m == 1650


@pytest.mark.parametrize(("unit", "factor"), [("", 1), ("meter", 1), ("M", 1), ("km", 1000)])
def test_units_of_length(unit: str, factor: float) -> None:
    named = f"<distanceUnit>{unit}</distanceUnit>" if unit else ""
    found = disc(f"<CircularArea>{BEIJING}<radius>7</radius>{named}</CircularArea>")
    assert found.accuracy_m == 7 * factor


@pytest.mark.parametrize(
    ("confidence", "radius_m"),
    [(None, 1000), (95, 1000), (99, 1000), (0, 1000), (67, 1643.8), (39.35, 2447.7)],
)
def test_a_radius_of_less_confidence_grows_to_95_percent(
    confidence: float | None, radius_m: float
) -> None:
    found = disc(f"<CircularArea>{BEIJING}<radius>1000</radius></CircularArea>", confidence)
    assert found.accuracy_m == pytest.approx(radius_m, abs=0.5)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("<CircularArea><radius>5</radius></CircularArea>", "coordinate"),
        ("<Point><coord><X>39.9</X></coord></Point>", "coordinate"),
        ("<Point><coord><X>116 23 00E</X><Y>39 54 00N</Y></coord></Point>", "coordinate"),
        ("<Point><coord><X>NaN</X><Y>NaN</Y></coord></Point>", "coordinate"),
        (f"<CircularArea>{BEIJING}</CircularArea>", "radius"),
        (f"<CircularArea>{BEIJING}<radius>-1</radius></CircularArea>", "radius"),
        (f"<CircularArea>{BEIJING}<radius>NaN</radius></CircularArea>", "radius"),
        (f"<CircularArea>{BEIJING}<radius>1e9</radius></CircularArea>", "radius"),
        (
            (
                f"<CircularArea>{BEIJING}<radius>5</radius>"
                "<distanceUnit>parsec</distanceUnit></CircularArea>"
            ),
            "unit",
        ),
        (f'<Point srsName="www.epsg.org#4979">{BEIJING}</Point>', "crs"),
        (f'<Point srsName="EPSG:2437">{BEIJING}</Point>', "crs"),
        (f"<Box>{coord(0, 0)}{coord(90, 0)}</Box>", "radius"),
    ],
)
def test_what_cannot_be_told_is_refused(text: str, reason: str) -> None:
    found = read_shape(shape(text))
    assert isinstance(found, Malformed)
    assert found.reason == reason


_CORNERS = st.lists(
    st.tuples(st.floats(0, 359.9), st.floats(1, 20_000)), min_size=2, max_size=12, unique=True
)


@given(
    st.sampled_from(["Polygon", "LineString", "MultiPoint", "LinearRing"]),
    st.floats(-180, 180),
    st.floats(-80, 80),
    _CORNERS,
)
def test_every_corner_is_inside_also_at_the_date_line(
    name: str, lon: float, lat: float, corners: list[tuple[float, float]]
) -> None:
    points = [
        destination(lon_deg=lon, lat_deg=lat, azimuth_deg=azimuth, distance_m=distance)
        for azimuth, distance in corners
    ]
    found = disc(f"<{name}>{''.join(coord(*p) for p in points)}</{name}>")
    for there in points:
        away = geodesic_m(
            lon1_deg=found.lon_deg, lat1_deg=found.lat_deg, lon2_deg=there[0], lat2_deg=there[1]
        )
        assert away <= (found.accuracy_m or 0.0) + 0.01
    assert (found.accuracy_m or 0.0) < 60_000


def test_circles_in_a_collection_are_held_too() -> None:
    far = destination(lon_deg=116.4, lat_deg=39.9, azimuth_deg=90, distance_m=2000)
    found = disc(
        f"<GeometryCollection><CircularArea>{BEIJING}<radius>300</radius></CircularArea>"
        f"<Point>{coord(*far)}</Point></GeometryCollection>"
    )
    assert found.accuracy_m == pytest.approx(1300, rel=0.001)
