"""Factories for a WSGI server that is started by its own command."""

import os

from flask import Flask

from server.main.app import create_app, create_stream_app
from server.settings import Settings


def web_app() -> Flask:
    """Return the web app, configured from the environment."""
    return create_app(Settings.from_environ(os.environ))


def stream_app() -> Flask:
    """Return the stream app, configured from the environment."""
    return create_stream_app(Settings.from_environ(os.environ))
