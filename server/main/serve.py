"""The commands of the two HTTP processes.

What they run is imported when they run: gevent has to patch the standard library before
anything that uses it is loaded.
"""

import os

import click

from server.settings import Settings


@click.command()
@click.option("--bind", default="127.0.0.1:8080", show_default=True, help="Address:port.")
@click.option("--workers", default=2, show_default=True, type=click.IntRange(1, 64))
@click.option("--threads", default=8, show_default=True, type=click.IntRange(1, 64))
def web(bind: str, workers: int, threads: int) -> None:
    """Serve pages and the JSON API."""
    _check_settings()
    from server.main.workers import serve  # noqa: PLC0415

    options = {
        "worker_class": "gthread",
        "workers": workers,
        "threads": threads,
        "timeout": 60,
        "max_requests": 20_000,
        "max_requests_jitter": 2_000,
    }
    serve(bind, options, stream=False)


@click.command()
@click.option("--bind", default="127.0.0.1:8081", show_default=True, help="Address:port.")
@click.option("--connections", default=3000, show_default=True, type=click.IntRange(1, 100_000))
def stream(bind: str, connections: int) -> None:
    """Serve live events; one process, many quiet connections."""
    _check_settings()
    from gevent import monkey  # noqa: PLC0415

    monkey.patch_all()
    from server.main.workers import serve  # noqa: PLC0415

    options = {
        "worker_class": "gevent",
        "workers": 1,
        "worker_connections": connections,
        "timeout": 60,
        "graceful_timeout": 3,
    }
    serve(bind, options, stream=True)


def _check_settings() -> None:
    # Bad settings stop the command with one line, before any worker starts.
    Settings.from_environ(os.environ)
