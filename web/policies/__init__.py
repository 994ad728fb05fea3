"""Rules: thresholds in force and their history, and trials of other ones on past days."""

from web.policies import tried, what_if  # noqa: F401  # their routes join the blueprint
from web.policies.views import blueprint

__all__ = ["blueprint"]
