"""Leave and outings: who need not be at the post, when and why."""

from web.excusals.views import blueprint

__all__ = ["blueprint"]
