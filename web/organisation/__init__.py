"""Organisation in simple form: units, employees, accounts and their roles."""

from web.organisation.views import blueprint

__all__ = ["blueprint"]
