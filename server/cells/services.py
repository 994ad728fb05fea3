"""The use cases of cells, gathered from the modules that hold them."""

from server.cells.importing import Imported, Progress, import_cells

__all__ = ["Imported", "Progress", "import_cells"]
