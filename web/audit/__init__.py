"""The trail for auditors: who looked at whom, and what happened to accounts and devices."""

from web.audit.views import blueprint

__all__ = ["blueprint"]
