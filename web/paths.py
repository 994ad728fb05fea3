"""Where the files of the web part lie."""

from pathlib import Path

WEB: Path = Path(__file__).resolve().parent
STATIC: Path = WEB / "static"
VENDOR: Path = STATIC / "vendor"
TRANSLATIONS: Path = WEB / "translations"
