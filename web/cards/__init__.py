"""The one evidence card: any verdict's document as people read it, on screen and as PDF."""

from web.cards.views import blueprint

__all__ = ["blueprint"]
