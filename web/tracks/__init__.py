"""Playback of a person's day, after the reader said why; exports of it."""

from web.tracks.views import blueprint

__all__ = ["blueprint"]
