"""The files that the checks of this folder look at."""

from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("geo", "ingest", "server", "mobile_api", "web", "fixtures")
_MADE_BY_TOOLS = {"node_modules", "vendor", "__pycache__", "basemap"}


def files(*suffixes: str, folders: tuple[str, ...] = (*PACKAGES, "tests")) -> Iterator[Path]:
    """Yield committed files with one of the suffixes, sorted."""
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in suffixes and path.is_file():
                inside = path.relative_to(ROOT)
                if not _MADE_BY_TOOLS.intersection(inside.parts[:-1]):
                    yield path


def shown(path: Path) -> str:
    """Return the path as a reader of the repository writes it."""
    return path.relative_to(ROOT).as_posix()
