"""The streets under every map: what pages hand to the browser, and the page to choose them."""

from web.basemaps.views import blueprint

__all__ = ["blueprint"]
