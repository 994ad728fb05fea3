"""Travel claims: entered by people, checked against their fixes, decided by finance."""

from web.claims.views import blueprint

__all__ = ["blueprint"]
