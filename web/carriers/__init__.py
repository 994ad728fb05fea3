"""Pages of carriers and positioning services: set up, try, see how they do, people's consent."""

from web.carriers.views import blueprint

__all__ = ["blueprint"]
