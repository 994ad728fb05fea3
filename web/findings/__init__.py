"""What the screens of findings share: alerts, and signs to look at."""

from web.findings.views import blueprint

__all__ = ["blueprint"]
