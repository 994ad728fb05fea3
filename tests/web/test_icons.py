"""Every icon that a page asks for is in the list, and shapes differ without colour."""

import re
from pathlib import Path

import pytest

from web import assets, icons, navigation
from web.paths import STATIC, VENDOR, WEB
from web.shell import STATUSES

_CALL = re.compile(r"""icon\(\s*["']([a-z0-9-]+)["']""")
_NAMED = re.compile(r"""icon_name=["']([a-z0-9-]+)["']""")
_BUTTON = re.compile(
    r"""icon_(?:button|link)\([^"']*(?:["'][^"']*["'])?[^"']*["']([a-z0-9-]+)["']"""
)


def asked_for() -> set[str]:
    names: set[str] = set()
    for path in WEB.rglob("*.html"):
        if "node_modules" in path.parts:
            continue
        text = path.read_text(encoding="utf-8")
        names |= set(_CALL.findall(text)) | set(_NAMED.findall(text))
    return names | {item.icon for group in navigation.GROUPS for item in group.items}


def test_every_icon_of_a_template_is_listed() -> None:
    assert asked_for() - set(assets.icon_names()) == set()


def test_listed_icons_are_installed() -> None:
    assert [n for n in assets.icon_names() if not (VENDOR / "lucide" / f"{n}.svg").is_file()] == []


def test_an_icon_is_decoration_unless_it_has_a_label() -> None:
    assert 'aria-hidden="true"' in icons.icon("map-pin")
    labelled = icons.icon("map-pin", label='"><script>')
    assert 'role="img"' in labelled
    assert "<script>" not in labelled


@pytest.mark.parametrize("name", ["../../secret", "no-such-icon", "/etc/passwd"])
def test_an_unknown_icon_is_a_plain_square(name: str) -> None:
    assert "<rect" in icons.icon(name)


def test_six_statuses_have_six_shapes() -> None:
    drawings = {str(icons.status_shape(status)) for status in STATUSES}
    assert len(drawings) == 6


def test_browser_draws_the_same_six() -> None:
    text = (STATIC / "app" / "map.js").read_text(encoding="utf-8")
    listed = re.search(r"STATUSES = \[([^\]]+)\]", text)
    assert listed is not None
    assert tuple(re.findall(r'"(\w+)"', listed[1])) == STATUSES


def test_vendor_folder_is_inside_static() -> None:
    assert Path(VENDOR).is_relative_to(STATIC)
