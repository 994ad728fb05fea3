"""A browser as people have it, and the scene it looks at."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from fixtures.stack import DatabaseUrls, Stack
from tests.browser.scene import Scene, opened
from tests.browser.witness import Witness

PATIENCE_MS = 60_000
"""How long a condition is waited for; a busy machine is slow, not broken."""
expect.set_options(timeout=PATIENCE_MS)

FLAGS = (
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    path = shutil.which("chromium") or "/usr/bin/chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, headless=True, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def scene(stack: Stack, module_database: DatabaseUrls) -> Iterator[Scene]:
    with opened(stack, module_database) as made:
        yield made


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    made = chromium.new_context(
        viewport={"width": 1440, "height": 900}, locale="zh-CN", timezone_id="Asia/Shanghai"
    )
    made.set_default_timeout(PATIENCE_MS)
    yield made
    made.close()


@pytest.fixture
def witness(context: BrowserContext) -> Witness:
    """Everything the browser complains about or asks of others, over the whole test."""
    return Witness.of(context)


@pytest.fixture
def lead(scene: Scene, context: BrowserContext, witness: Witness) -> Page:
    """A page of the supervisor's browser, signed in."""
    return sign_in(scene, context, "lead", witness)


def sign_in(scene: Scene, context: BrowserContext, login: str, witness: Witness) -> Page:
    host = urlsplit(scene.url).hostname
    assert host is not None
    witness.home = scene.url
    context.add_cookies(
        [{"name": "sid", "value": scene.cookie(login), "domain": host, "path": "/"}]
    )
    return context.new_page()


@pytest.fixture(scope="session")
def axe_source() -> str:
    path = Path(__file__).resolve().parents[2] / "web" / "node_modules" / "axe-core" / "axe.min.js"
    assert path.is_file(), "run python -m web.assets"
    return path.read_text(encoding="utf-8")
