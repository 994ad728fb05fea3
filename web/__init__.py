"""Pages for people at a desk: one sub-package a screen, around one frame."""

import importlib
import pkgutil
from collections.abc import Iterator

from flask import Blueprint


def blueprints() -> list[Blueprint]:
    """Return the frame's blueprint and that of every screen, in the order of their names."""
    return [*_found("web.shell"), *(b for name in _screens() for b in _found(name))]


def stream_blueprints() -> list[Blueprint]:
    """Return the blueprints of the stream process: `stream_blueprint` of the screens that push."""
    return [b for name in _screens() for b in _found(name, attribute="stream_blueprint")]


def _screens() -> Iterator[str]:
    return (f"web.{info.name}" for info in pkgutil.iter_modules(__path__) if info.ispkg)


def _found(name: str, *, attribute: str = "blueprint") -> list[Blueprint]:
    found = getattr(importlib.import_module(name), attribute, None)
    return [found] if isinstance(found, Blueprint) else []
