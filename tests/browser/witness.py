"""What a browser saw while a test ran: errors, refused content, requests to others."""

from dataclasses import dataclass, field
from typing import Self

from playwright.sync_api import BrowserContext, ConsoleMessage, Error, Request, WebError

_REPORT = """
document.addEventListener("securitypolicyviolation", (event) => {
  console.error(`CSP ${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}`);
});
"""


@dataclass  # no slots: Playwright keeps a note on objects whose methods it calls
class Witness:
    """Collects over the life of a browser context."""

    home: str = ""
    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, context: BrowserContext) -> Self:
        """Watch a context from before its first page."""
        seen = cls()
        context.add_init_script(_REPORT)
        context.on("console", seen._console)
        context.on("weberror", seen._web_error)
        context.on("request", seen._request)
        return seen

    @property
    def strangers(self) -> list[str]:
        """Requests to any other host than the page's own."""
        own = (self.home, "data:", "blob:")
        return [url for url in self.requests if not url.startswith(own)]

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.errors.append(message.text)

    def _web_error(self, error: WebError) -> None:
        found: Error = error.error
        self.errors.append(str(found))

    def _request(self, request: Request) -> None:
        self.requests.append(request.url)
