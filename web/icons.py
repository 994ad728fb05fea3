"""Line icons (lucide) and the six status shapes, inlined as SVG to take the text colour."""

import re
from functools import lru_cache
from html import escape

from markupsafe import Markup

from web.paths import VENDOR

_FOLDER = VENDOR / "lucide"
_BODY = re.compile(r"<svg[^>]*>(.*)</svg>", re.DOTALL)

# One drawing a status on a 16 × 16 field: the shape alone tells them apart, without colour.
SHAPES: dict[str, str] = {
    "on_post": (
        '<circle cx="8" cy="8" r="6.5" class="fill"/><path d="m5 8.2 2.1 2.1L11.2 6" class="cut"/>'
    ),
    "off_post": (
        '<path d="M8 .8 15.2 8 8 15.2.8 8z" class="fill"/>'
        '<path d="M8 4.6v4.1m0 2.3v.1" class="cut"/>'
    ),
    "travelling": '<path d="M8 1.4 14.6 14 8 11.4 1.4 14z" class="fill"/>',
    "stale": '<circle cx="8" cy="8" r="5.6" class="dash"/>',
    "no_signal": '<circle cx="8" cy="8" r="5.8" class="line"/><path d="M4 4l8 8" class="line"/>',
    "off_duty": '<rect x="2.6" y="2.6" width="10.8" height="10.8" rx="1.6" class="fill"/>',
}


def icon(name: str, *, size: int = 18, label: str | None = None) -> Markup:
    """Return one icon as inline SVG.

    Parameters
    ----------
    name : a name listed in `web/icons.txt`.
    size : edge, CSS pixels.
    label : accessible name; without one the icon is decoration and hidden from readers.
    """
    role = f'role="img" aria-label="{escape(label, quote=True)}"' if label else 'aria-hidden="true"'
    return Markup(  # noqa: S704 - the drawing is our own file, the label is escaped
        f'<svg class="icon" width="{int(size)}" height="{int(size)}" viewBox="0 0 24 24" '
        f'fill="none" stroke="currentColor" stroke-width="1.75" stroke-linecap="round" '
        f'stroke-linejoin="round" {role}>{_drawing(name)}</svg>'
    )


def status_shape(status: str, *, size: int = 12) -> Markup:
    """Return the shape of one live status; unknown names get the "no signal" ring."""
    body = SHAPES.get(status, SHAPES["no_signal"])
    return Markup(  # noqa: S704 - constants of this module
        f'<svg class="shape" width="{int(size)}" height="{int(size)}" viewBox="0 0 16 16" '
        f'aria-hidden="true">{body}</svg>'
    )


@lru_cache(maxsize=256)
def _drawing(name: str) -> str:
    path = (_FOLDER / f"{name}.svg").resolve()
    if path.parent != _FOLDER.resolve() or not path.is_file():
        # A page without one drawing is better than no page; tests/web/test_icons.py finds it.
        return '<rect x="4" y="4" width="16" height="16" rx="2"/>'
    match = _BODY.search(path.read_text(encoding="utf-8"))
    return " ".join(match.group(1).split()) if match else ""
