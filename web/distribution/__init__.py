"""How many people are where: page, JSON and exports."""

from web.distribution.views import blueprint

__all__ = ["blueprint"]
