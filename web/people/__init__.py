"""People one leads: who is where in words, and one person's day."""

from web.people.views import blueprint

__all__ = ["blueprint"]
