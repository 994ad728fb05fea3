"""Sites: the customer places people visit."""

from web.sites.views import blueprint

__all__ = ["blueprint"]
