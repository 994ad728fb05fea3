"""The HTTP door for phones and programs: one module a resource."""

import importlib
import pkgutil

from flask import Blueprint


def blueprints() -> list[Blueprint]:
    """Return the `blueprint` of every resource, in the order of their names."""
    modules = (
        importlib.import_module(f"{__name__}.{m.name}") for m in pkgutil.iter_modules(__path__)
    )
    found = (getattr(module, "blueprint", None) for module in modules)
    return [b for b in found if isinstance(b, Blueprint)]
