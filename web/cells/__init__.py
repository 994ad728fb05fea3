"""Radio cells: the imported tables, and what the company's own phones taught."""

from web.cells.views import blueprint

__all__ = ["blueprint"]
