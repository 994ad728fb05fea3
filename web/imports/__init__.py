"""Imports: files that people bring, what their rows would do, and the same kinds taken out."""

from web.imports.views import blueprint

__all__ = ["blueprint"]
