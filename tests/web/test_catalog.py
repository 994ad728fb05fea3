"""Both languages are complete, nothing is left over, and templates hold no bare text."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.mofile import read_mo

from web import catalog
from web.paths import STATIC, TRANSLATIONS, WEB

TEMPLATES = sorted(
    path
    for folder in (WEB, WEB.parent / "server", WEB.parent / "mobile_api")
    for path in folder.rglob("templates/**/*.html")
    if "node_modules" not in path.parts
)
MODULES = sorted((STATIC / "app").glob("*.js"))
_CJK = re.compile(r"[\u3400-\u9fff]")
_JINJA = re.compile(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", re.DOTALL)
# A product's name, names of formats and of languages in themselves are no translation.
_UNTRANSLATED = {
    *("Outpost", "EN", "English", "中文"),
    *("CSV", "GPX", "GeoJSON", "XLSX", "km/h"),
    *("Ctrl", "Enter", "Esc", "Space"),
}


@pytest.fixture(scope="module")
def extracted() -> Catalog:
    return catalog.extract()


def of(locale: str) -> Catalog:
    return catalog.read_catalog(TRANSLATIONS / locale / "LC_MESSAGES" / "messages.po")


@pytest.mark.parametrize("locale", catalog.LOCALES)
def test_every_message_is_there_and_translated(locale: str, extracted: Catalog) -> None:
    here = of(locale)
    wanted = {catalog.key_of(m) for m in catalog.messages(extracted)}
    have = {catalog.key_of(m) for m in catalog.messages(here)}
    assert wanted - have == set(), "run python -m web.catalog"
    assert have - wanted == set(), "run python -m web.catalog"
    assert [catalog.key_of(m) for m in catalog.messages(here) if not catalog.filled(m)] == []
    assert [catalog.key_of(m) for m in catalog.messages(here) if m.fuzzy] == []


@pytest.mark.parametrize("locale", catalog.LOCALES)
def test_placeholders_are_the_same_in_every_language(locale: str) -> None:
    names = re.compile(r"%\((\w+)\)[sd]")
    for message in catalog.messages(of(locale)):
        ids = message.id if isinstance(message.id, (list, tuple)) else [message.id]
        strings = message.string if isinstance(message.string, (list, tuple)) else [message.string]
        wanted = set(names.findall(str(ids[-1])))
        for string in strings:
            assert set(names.findall(str(string))) == wanted, string


def test_chinese_is_chinese() -> None:
    same = [catalog.key_of(m) for m in catalog.messages(of("zh")) if catalog.key_of(m) == m.string]
    words = [text for text in same if re.search(r"[a-z]{3}", re.sub(r"%\(\w+\)[sd]", "", text))]
    assert [text for text in words if text not in _UNTRANSLATED] == []


class _Texts(HTMLParser):
    SHOWN = ("aria-label", "title", "placeholder", "alt")

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._silent += tag in {"script", "style"}
        lang = dict(attrs).get("lang")
        self.texts += [v for k, v in attrs if k in self.SHOWN and v and not lang]

    def handle_endtag(self, tag: str) -> None:
        self._silent -= tag in {"script", "style"}

    def handle_data(self, data: str) -> None:
        if not self._silent and data.strip():
            self.texts.append(data.strip(" \n·+-/"))


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda p: str(p.relative_to(WEB.parent)))
def test_templates_hold_no_text_outside_of_translation(path: Path) -> None:
    parser = _Texts()
    parser.feed(_JINJA.sub(" ", path.read_text(encoding="utf-8")))
    words = [text for text in parser.texts if re.search(r"[A-Za-z]{2}", text) or _CJK.search(text)]
    assert [text for text in words if text not in _UNTRANSLATED] == []


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda p: str(p.relative_to(WEB.parent)))
def test_templates_need_no_exception_from_the_content_policy(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert re.findall(r"\sstyle\s*=", text) == []
    assert re.findall(r"\son[a-z]+\s*=", text) == []
    assert "|safe" not in text
    assert re.findall(r"<script(?![^>]*(?:src=|nonce=))[^>]*>", text) == []


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.name)
def test_modules_hold_no_chinese_and_build_no_html_from_strings(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert _CJK.search(text) is None
    assert (
        re.findall(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(", text) == []
    )


def test_the_browser_gets_only_the_messages_of_its_modules() -> None:
    text = catalog.browser_catalog("zh").decode()
    assert '"Reconnecting…":"重新连接中…"' in text
    assert "Sign in to Outpost" not in text


def test_compiling_is_atomic_and_follows_the_source(tmp_path: Path) -> None:
    folder = tmp_path / "zh" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    source, target = folder / "messages.po", folder / "messages.mo"
    source.write_text('msgid "Live"\nmsgstr "实时"\n', encoding="utf-8")
    catalog.compile_catalogs(tmp_path)
    with target.open("rb") as file:
        assert read_mo(file).get("Live").string == "实时"  # type: ignore[union-attr]
    before = target.stat().st_mtime_ns
    catalog.compile_catalogs(tmp_path)
    assert target.stat().st_mtime_ns == before
    assert {path.name for path in folder.iterdir()} == {"messages.mo", "messages.po"}
