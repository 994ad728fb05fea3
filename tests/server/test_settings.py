"""What a process reads from its environment, and what it refuses."""

from dataclasses import replace

import pytest

from fixtures.stack import Stack
from server.errors import ConfigurationError
from server.settings import Settings


@pytest.mark.parametrize(
    "place",
    [
        "/srv/tiles.tar",
        "tiles.tar",
        "http://roads:8002",
        "https://roads.example/valhalla/",
        "http://[::1]:8002",
    ],
)
def test_roads_are_a_file_or_an_address(stack: Stack, place: str) -> None:
    env = stack.settings_env()
    without = Settings.from_environ(env)
    assert without.roads is None
    assert Settings.from_environ(env | {"OUTPOST_ROADS": ""}) == without
    found = Settings.from_environ(env | {"OUTPOST_ROADS": place})
    assert found == replace(without, roads=place)
    assert place not in repr(found)


@pytest.mark.parametrize(
    "place",
    [
        "ftp://roads",
        "http://",
        "https://:8002",
        "http://roads:0",
        "http://roads:port",
        "http://me:secret@roads",
        "http://roads/?a=b",
        "http://roads/#a",
        "http://roads one",
        "http://[::1",
    ],
)
def test_an_address_of_roads_that_is_none_is_refused_by_name(stack: Stack, place: str) -> None:
    with pytest.raises(ConfigurationError, match="OUTPOST_ROADS"):
        Settings.from_environ(stack.settings_env() | {"OUTPOST_ROADS": place})
