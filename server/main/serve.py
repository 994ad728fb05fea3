"""The runners of the two HTTP processes under gunicorn."""

import os
from collections.abc import Mapping

import click
from flask import Flask
from gunicorn.app.base import BaseApplication

from server.http.logs import configure_logs
from server.settings import Settings


class _Server(BaseApplication):  # type: ignore[misc]  # gunicorn ships no types
    """Gunicorn with options given in code; each worker builds its own app."""

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
        # After gevent patched the standard library, not before.
        from server.main import wsgi  # noqa: PLC0415

        return wsgi.stream_app() if self._stream else wsgi.web_app()


@click.command()
@click.option("--bind", default="127.0.0.1:8080", show_default=True, help="Address:port.")
@click.option("--workers", default=2, show_default=True, type=click.IntRange(1, 64))
@click.option("--threads", default=8, show_default=True, type=click.IntRange(1, 64))
def web(bind: str, workers: int, threads: int) -> None:
    """Serve pages and the JSON API."""
    _prepare()
    options = {
        "worker_class": "gthread",
        "workers": workers,
        "threads": threads,
        "timeout": 60,
        "max_requests": 20_000,
        "max_requests_jitter": 2_000,
    }
    _Server(_common(bind) | options, stream=False).run()


@click.command()
@click.option("--bind", default="127.0.0.1:8081", show_default=True, help="Address:port.")
@click.option("--connections", default=3000, show_default=True, type=click.IntRange(1, 100_000))
def stream(bind: str, connections: int) -> None:
    """Serve live events; one process, many quiet connections."""
    _prepare()
    options = {
        "worker_class": "gevent",
        "workers": 1,
        "worker_connections": connections,
        "timeout": 60,
        "graceful_timeout": 3,
    }
    _Server(_common(bind) | options, stream=True).run()


def _prepare() -> None:
    # Bad settings stop the command with one line, before any worker starts.
    Settings.from_environ(os.environ)
    configure_logs()


def _common(bind: str) -> dict[str, object]:
    return {
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
