"""Evidence cards on paper: the same template by WeasyPrint, with bytes that stay the same."""

from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from typing import Final, NamedTuple

from flask import Response, render_template

from geo.verdict import format_utc
from web.cards.drawing import Sketch, draw
from web.cards.reading import Card, Pair
from web.paths import STATIC

_CSS: Final = STATIC / "app" / "card-print.css"


class Sheet(NamedTuple):
    """One card of a document, its heading and what the page knows besides."""

    heading: str
    card: Card
    facts: Sequence[Pair] = ()


def card_pdf(
    sheets: Sequence[Sheet],
    *,
    title: str,
    subtitle: str,
    dated_at: datetime,
    sketch: Sketch | None = None,
) -> bytes:
    """Print evidence cards.

    Parameters
    ----------
    sheets : the cards, in order.
    title, subtitle : of what, about whom, when.
    dated_at : when the verdict was reached; the document bears this date, not today's.
    sketch : what its map shows; no map without one.

    Returns
    -------
    A PDF with its fonts embedded. The same evidence in the same language gives the same
    bytes on the same machine. Nothing is fetched: the renderer is refused every address.
    Cost: about half a second a page.
    """
    html = render_template(
        "cards/print.html",
        title=title,
        subtitle=subtitle,
        dated=format_utc(dated_at.replace(microsecond=0)),
        cards=sheets,
        picture=draw(sketch) if sketch else None,
    )
    return _to_pdf(html)


def pdf_response(content: bytes, name: str) -> Response:
    """Return a PDF as a download that no cache keeps."""
    response = Response(content, mimetype="application/pdf")
    response.headers.set("Content-Disposition", "attachment", filename=f"{name}.pdf")
    response.headers["Cache-Control"] = "no-store"
    return response


def _to_pdf(html: str) -> bytes:
    from weasyprint import CSS, HTML  # noqa: PLC0415 - takes half a second, few pages print
    from weasyprint.urls import URLFetcher  # noqa: PLC0415 - as above

    nothing = URLFetcher(allowed_protocols=())
    printed: bytes = HTML(string=html, url_fetcher=nothing).write_pdf(
        stylesheets=[CSS(string=_CSS.read_text(encoding="utf-8"), url_fetcher=nothing)],
        pdf_identifier=sha256(html.encode()).digest()[:16],
    )
    return printed
