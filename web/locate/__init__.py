"""Asking one person's phone where it is, and telling the asker what comes of it."""

from web.locate.views import blueprint

__all__ = ["blueprint"]
