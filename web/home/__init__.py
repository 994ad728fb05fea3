"""The start page, the search of the top bar and the viewer's preferences."""

from web.home.views import blueprint

__all__ = ["blueprint"]
