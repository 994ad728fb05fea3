"""Signs to look at: what a day's positions show, innocent readings, and what people say of it."""

from web.signs.views import blueprint

__all__ = ["blueprint"]
