"""Signing in and out."""

from web.signin.views import blueprint

__all__ = ["blueprint"]
