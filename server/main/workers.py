"""Gunicorn with options given in code; each worker builds its own app."""

from collections.abc import Mapping

from flask import Flask
from gunicorn.app.base import BaseApplication

from server.http.logs import request_context
from server.logs import configure_logs
from server.main import wsgi


class Server(BaseApplication):  # type: ignore[misc]  # gunicorn ships no types
    """One HTTP process.

    Parameters
    ----------
    options : settings of gunicorn by name.
    stream : True serves the stream's app, False pages and API.
    """

    def __init__(self, options: Mapping[str, object], *, stream: bool) -> None:
        self._options = options
        self._stream = stream
        super().__init__()

    def load_config(self) -> None:
        """Hand the options to gunicorn."""
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        """Build the app, in the worker."""
        return wsgi.stream_app() if self._stream else wsgi.web_app()


def serve(bind: str, options: Mapping[str, object], *, stream: bool) -> None:
    """Serve until SIGTERM; requests under way are finished first.

    Parameters
    ----------
    bind : ``address:port``.
    options : what differs between the two processes.
    stream : which app.
    """
    configure_logs(context=request_context)
    common: dict[str, object] = {
        "bind": bind,
        "control_socket_disable": True,
        "limit_request_line": 4094,
        "limit_request_fields": 60,
        "limit_request_field_size": 8190,
        "keepalive": 5,
        # Proxies are trusted by OUTPOST_PROXY_HOPS only.
        "forwarded_allow_ips": "",
        "logger_class": "server.http.logs.GunicornLogger",
        "errorlog": "-",
    }
    Server({**common, **options}, stream=stream).run()
