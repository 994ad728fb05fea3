"""Alerts: lists by state, the evidence card, and what people say of it."""

from web.alerts.views import blueprint

__all__ = ["blueprint"]
