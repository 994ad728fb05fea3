"""The live map: its page, its API and its stream."""

from web.live.stream import stream_blueprint
from web.live.views import blueprint

__all__ = ["blueprint", "stream_blueprint"]
