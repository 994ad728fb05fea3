"""Pure geometry, time and movement: the same inputs give the same answer, everywhere."""

from typing import Final

ALGORITHM_VERSION: Final = "geo-4"
"""Part of every answer and derived row; raised when the same fixes could answer differently."""
