"""What import contracts with wildcards cannot say."""

import ast
import sys
import tomllib
from functools import cache

import grimp

from tests.architecture.source import PACKAGES, ROOT, files, shown

SLICE_PRIVATE = {"models", "store"}
GEO_MAY_USE = {"numpy", "shapely", "pyproj"}
NOT_PURE = {
    "asyncio",
    "http",
    "logging",
    "os",
    "pathlib",
    "random",
    "secrets",
    "socket",
    "subprocess",
    "tempfile",
    "threading",
    "time",
    "urllib",
}
GEO_DOORS = {
    "geo.cli": {"click", "pathlib"},
    "geo.cells_cli": {"click"},
    "geo.claims_cli": {"click"},
    "geo.visits_cli": {"click"},
    "geo.what_if_cli": set(),
    "geo.files": {"pathlib"},
    "geo.valhalla_roads": {"pathlib", "tempfile", "valhalla"},
}
"""The commands on files live beside the core; the core itself may not use them."""
CLOCK_CALLS = {"now", "today", "utcnow"}


@cache
def graph() -> grimp.ImportGraph:
    return grimp.build_graph(
        *PACKAGES, include_external_packages=True, exclude_type_checking_imports=True
    )


def test_models_and_store_are_private_to_their_slice() -> None:
    intruders = []
    for module in sorted(graph().modules):
        parts = module.split(".")
        if len(parts) < 3 or parts[0] != "server" or parts[2] not in SLICE_PRIVATE:
            continue
        slice_name = ".".join(parts[:2])
        intruders += [
            f"{importer} imports {module}"
            for importer in sorted(graph().find_modules_that_directly_import(module))
            if not f"{importer}.".startswith(f"{slice_name}.")
            and not importer.startswith("server.migrations.")
        ]
    assert intruders == []


def test_geo_uses_nothing_but_arithmetic() -> None:
    used = {
        f"{module} imports {imported}"
        for module in graph().modules
        if module.split(".")[0] == "geo"
        for allowed in [GEO_MAY_USE | GEO_DOORS.get(module, set())]
        for imported in graph().find_modules_directly_imported_by(module)
        for top in [imported.split(".")[0]]
        if top != "geo"
        and top not in allowed
        and (top in NOT_PURE or top not in sys.stdlib_module_names)
    }
    assert used == set()


def test_the_core_of_geo_does_not_use_its_doors() -> None:
    users = {
        importer
        for door in GEO_DOORS
        if door in graph().modules
        for importer in graph().find_modules_that_directly_import(door)
        if importer.startswith("geo.") and importer not in GEO_DOORS
    }
    assert users == set()


def test_geo_reads_no_clock_and_no_file() -> None:
    calls = [
        f"{shown(path)}:{node.lineno}"
        for path in files(".py", folders=("geo",))
        if f"geo.{path.stem}" not in GEO_DOORS
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and _impure(node.func)
    ]
    assert calls == []


def _impure(called: ast.expr) -> bool:
    if isinstance(called, ast.Name):
        return called.id in {"open", "print", "input", "exec", "eval"}
    return isinstance(called, ast.Attribute) and called.attr in CLOCK_CALLS


def test_every_part_of_the_server_has_its_layer() -> None:
    config = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    layers = next(
        contract["layers"]
        for contract in config["tool"]["importlinter"]["contracts"]
        if contract["id"] == "layers"
    )
    named = {part.strip(" ()") for line in layers for part in line.replace("|", ":").split(":")}
    found = {
        f"server.{path.stem}"
        for path in (ROOT / "server").iterdir()
        if (path.suffix == ".py" and path.stem != "__init__") or (path / "__init__.py").exists()
    }
    assert found - named == set()


def test_every_test_lies_where_its_subject_lies() -> None:
    own = {"architecture", "browser", "chaos", "data", "e2e", "factories"}
    lost = []
    for path in files(".py", folders=("tests",)):
        inside = path.relative_to(ROOT / "tests")
        if len(inside.parts) > 1 and inside.parts[0] not in own:
            subject = ROOT / inside.parent
            if not subject.is_dir() and not subject.with_suffix(".py").is_file():
                lost.append(shown(path))
    assert lost == []
