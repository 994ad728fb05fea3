"""Names that say nothing, work left undone and addresses of other hosts."""

import re

from tests.architecture.source import PACKAGES, ROOT, files, shown

EMPTY_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "managers"}
# Assembled, so that this file does not contain what it looks for.
UNFINISHED = re.compile(
    r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "X" + "XX", "HA" + "CK")) + r")\b"
)
BROAD_SILENCE = re.compile(
    r"except(?:\s+(?:Base)?Exception)?\s*:\s*\n?\s*(?:pass|\.\.\.)\s*$", re.MULTILINE
)
ADDRESS = re.compile(r"(?:https?:)?//([a-z0-9-]+(?:\.[a-z0-9-]+)+)", re.IGNORECASE)
LOADING = re.compile(
    r"""(?:src|srcset|action|poster)\s*=\s*["']?$"""
    r"""|<link[^>]*href\s*=\s*["']?$|url\(\s*["']?$|@import\s+["']?$|import\s*\(?\s*["']$|from\s+["']$"""
    r"""|(?:fetch|EventSource|WebSocket|Worker|sendBeacon)\(\s*["'`]$""",
    re.IGNORECASE,
)


def test_no_module_has_an_empty_name() -> None:
    empty = [
        shown(path)
        for path in files(".py", ".js")
        if path.stem in EMPTY_NAMES or EMPTY_NAMES.intersection(path.relative_to(ROOT).parts)
    ]
    assert empty == []


def test_nothing_is_marked_as_unfinished() -> None:
    marked = [
        f"{shown(path)}:{number}"
        for path in files(".py", ".js", ".css", ".html", ".sql", ".sh", ".toml", ".md")
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if UNFINISHED.search(line)
    ]
    assert marked == []


def test_no_exception_is_swallowed_unseen() -> None:
    silent = [
        shown(path)
        for path in files(".py")
        if BROAD_SILENCE.search(path.read_text(encoding="utf-8"))
    ]
    assert silent == []


def test_pages_load_nothing_from_another_host() -> None:
    loaded = []
    for path in files(".html", ".js", ".css", ".svg", ".webmanifest", folders=PACKAGES):
        text = path.read_text(encoding="utf-8")
        loaded += [
            f"{shown(path)}: {match.group(1)}"
            for match in ADDRESS.finditer(text)
            if LOADING.search(text[max(0, match.start() - 120) : match.start()])
        ]
    assert loaded == []


def test_the_check_of_other_hosts_sees_the_usual_ways_to_load() -> None:
    for text in (
        '<script src="https://cdn.example.org/a.js">',
        "<link rel=stylesheet href='//cdn.example.org/a.css'>",
        "background: url(https://cdn.example.org/a.png)",
        'import x from "https://cdn.example.org/x.mjs"',
        "fetch('https://api.example.org/')",
    ):
        match = ADDRESS.search(text)
        assert match is not None
        assert LOADING.search(text[: match.start()]), text
    link = '<a href="https://www.example.org/copyright">'
    match = ADDRESS.search(link)
    assert match is not None
    assert not LOADING.search(link[: match.start()])
