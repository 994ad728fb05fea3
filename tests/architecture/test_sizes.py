"""Modules stay small enough to read in one sitting."""

from tests.architecture.source import PACKAGES, files, shown

LIMIT = 400


def test_no_module_has_grown_past_the_limit() -> None:
    long = {
        shown(path): lines
        for path in files(".py", ".js", folders=PACKAGES)
        if "migrations" not in path.parts
        and (lines := len(path.read_text(encoding="utf-8").splitlines())) > LIMIT
    }
    assert long == {}
