"""The use cases of cells, gathered from the modules that hold them."""

from server.cells.importing import Imported, Progress, import_cells
from server.cells.learned import Lesson, forget_cells, learn_cells, note_waits

__all__ = [
    "Imported",
    "Lesson",
    "Progress",
    "forget_cells",
    "import_cells",
    "learn_cells",
    "note_waits",
]
