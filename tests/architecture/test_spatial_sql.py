"""Spatial SQL has one home, where units, order of coordinates and SRID are looked after."""

import re

from tests.architecture.source import files, shown

HOME = "server/db/geometry.py"
SPATIAL = re.compile(r"\bST_[A-Z]\w+")


def test_only_the_home_of_spatial_sql_speaks_it() -> None:
    """Migrations repeat what was true when they were written."""
    strangers = [
        f"{shown(path)}:{number}"
        for path in files(".py", ".sql", folders=("server", "ingest", "web", "mobile_api"))
        if shown(path) != HOME and "migrations" not in path.parts
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if SPATIAL.search(line)
    ]
    assert strangers == []


def test_the_home_is_found() -> None:
    (home,) = [path for path in files(".py", folders=("server",)) if shown(path) == HOME]
    assert len(SPATIAL.findall(home.read_text(encoding="utf-8"))) > 3
