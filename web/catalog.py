"""Message catalogues: extract, complete, compile; also the part that the browser reads.

The English text in the source is the key. `python -m web.catalog` collects every message from
templates, Python and browser modules into both catalogues, fills English with itself and
names what Chinese still lacks.
"""

import json
import os
import sys
import tempfile
from collections.abc import Iterator
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from web.paths import TRANSLATIONS, WEB

ROOT = WEB.parent
LOCALES = ("zh", "en")
KEYWORDS: dict[str, Any] = {
    "_": None,
    "_l": None,
    "gettext": None,
    "lazy_gettext": None,
    "ngettext": (1, 2),
    "pgettext": ((1, "c"), 2),
    "t": None,
    "tn": (1, 2),
}


def compile_catalogs(folder: Path = TRANSLATIONS) -> None:
    """Compile each `.po` whose `.mo` is missing or older.

    Several processes may do it at once: the file appears by a rename. Where the folder is
    read-only the compiled files must already be there.
    """
    for source in sorted(folder.glob("*/LC_MESSAGES/*.po")):
        target = source.with_suffix(".mo")
        if target.is_file() and target.stat().st_mtime_ns >= source.stat().st_mtime_ns:
            continue
        buffer = BytesIO()
        write_mo(buffer, read_catalog(source))
        _replace(target, buffer.getvalue())


def read_catalog(path: Path) -> Catalog:
    """Read one `.po` file; its locale is the name of the folder above LC_MESSAGES."""
    with path.open("rb") as file:
        return read_po(file, locale=path.parent.parent.name)


def extract() -> Catalog:
    """Collect the messages of the whole source, with the files that use them."""
    with (WEB / "babel.cfg").open(encoding="utf-8") as file:
        methods, options = parse_mapping_cfg(file)  # type: ignore[no-untyped-call]
    found = Catalog(charset="utf-8")
    for name in ("web", "server", "mobile_api"):
        base = ROOT / name
        if not base.is_dir():
            continue
        for path, line, message, comments, context in extract_from_dir(
            base, methods, options, keywords=KEYWORDS, directory_filter=_own_folder
        ):
            found.add(
                message,
                locations=[(f"{name}/{path}", line)],
                auto_comments=comments,
                context=context,
            )
    return found


def update(folder: Path = TRANSLATIONS) -> dict[str, list[str]]:
    """Bring both catalogues up to date; return the messages each still lacks, by locale."""
    template = extract()
    lacking: dict[str, list[str]] = {}
    for locale in LOCALES:
        path = folder / locale / "LC_MESSAGES" / "messages.po"
        catalog = read_catalog(path) if path.is_file() else Catalog(locale=locale)
        catalog.update(template, no_fuzzy_matching=True)
        catalog.obsolete.clear()
        if locale == "en":
            for message in messages(catalog):
                message.string = message.id
        buffer = BytesIO()
        write_po(
            buffer,
            catalog,
            omit_header=False,
            sort_by_file=False,
            sort_output=True,
            include_lineno=False,
            width=100,
        )
        _replace(path, _without_dates(buffer.getvalue()))
        lacking[locale] = [key_of(message) for message in messages(catalog) if not filled(message)]
    browser_catalog.cache_clear()
    return lacking


def messages(catalog: Catalog) -> Iterator[Message]:
    """Yield the messages of a catalogue without its header."""
    return (message for message in catalog if message.id)


def key_of(message: Message) -> str:
    """Return the English singular of a message: its key."""
    return message.id[0] if isinstance(message.id, (list, tuple)) else str(message.id)


def filled(message: Message) -> bool:
    """Tell whether every form of a message is translated."""
    if isinstance(message.string, (list, tuple)):
        return all(message.string)
    return bool(message.string)


@lru_cache(maxsize=8)
def browser_catalog(locale: str) -> bytes:
    """Return the messages that browser modules use, as JSON: key → text or list of forms."""
    path = TRANSLATIONS / locale / "LC_MESSAGES" / "messages.po"
    used = {
        key_of(message): message.string
        for message in messages(read_catalog(path))
        if any(name.startswith("web/static/app/") for name, _line in message.locations)
    }
    return json.dumps(used, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def _own_folder(path: str | os.PathLike[str]) -> bool:
    return Path(path).name not in {
        "vendor",
        "basemap",
        "node_modules",
        "translations",
        "migrations",
    }


def _without_dates(text: bytes) -> bytes:
    dated = (b'"POT-Creation-Date', b'"PO-Revision-Date', b'"Generated-By')
    lines = [line for line in text.splitlines() if not line.startswith(dated)]
    return b"\n".join(lines) + b"\n"


def _replace(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        file.write(content)
    Path(file.name).chmod(0o644)
    Path(file.name).replace(path)


def main() -> int:
    """Update the catalogues and compile them; exit 1 while a text is missing."""
    lacking = update()
    compile_catalogs()
    for locale, keys in lacking.items():
        for key in keys:
            sys.stdout.write(f"{locale}: {key}\n")
    return 1 if any(lacking.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
