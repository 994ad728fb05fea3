"""Roster in simple form: who works which shift where, a week at a time."""

from web.roster.views import blueprint

__all__ = ["blueprint"]
