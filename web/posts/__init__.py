"""Posts: the list, the fence editor and the check of a fence before it is saved."""

from web.posts.views import blueprint

__all__ = ["blueprint"]
