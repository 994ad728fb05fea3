"""Visits: who was to see which customer, and what fixes say of it."""

from web.visits.views import blueprint

__all__ = ["blueprint"]
