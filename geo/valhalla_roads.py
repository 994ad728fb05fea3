"""Roads from Valhalla tiles: the one place that speaks to pyvalhalla.

A door like the commands: it reads files and uses a package that not everybody has.
"""

import hashlib
import importlib.util
import tempfile
from pathlib import Path

from geo.roads import RoadsUnavailable, RoadsVersion
from geo.valhalla import LIMITS, Valhalla


class ValhallaRoads(Valhalla):
    """A road network in Valhalla tiles.

    Parameters
    ----------
    tiles : a tar of ``.gph`` tiles, made by ``valhalla_build_tiles``. Its SHA-256 is part of
        `version`: a second or two a gigabyte.

    Raises
    ------
    RoadsUnavailable : codes ``no_valhalla`` and ``no_tiles``.
    """

    def __init__(self, tiles: Path) -> None:
        if importlib.util.find_spec("valhalla") is None:
            raise RoadsUnavailable(
                "no_valhalla",
                "roads need the package pyvalhalla (pyvalhalla-weekly before Python 3.12)",
            )
        if not tiles.is_file():
            raise RoadsUnavailable("no_tiles", f"{tiles}: no such file of tiles")
        import valhalla  # noqa: PLC0415  # optional: most installations have no tiles

        with tempfile.TemporaryDirectory() as nowhere:
            config = valhalla.get_config(
                tile_extract=str(tiles.resolve()), tile_dir=nowhere, verbose=False
            )
        config["mjolnir"].pop("tile_dir", None)
        config["mjolnir"]["logging"] = {"type": ""}
        config["meili"]["default"]["breakage_distance"] = LIMITS["breakage_distance"]
        config["service_limits"]["trace"]["max_shape"] = LIMITS["max_shape"]
        try:
            with tiles.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            self._actor = valhalla.Actor(config)
        except (OSError, RuntimeError) as error:
            raise RoadsUnavailable("no_tiles", f"{tiles}: {error}") from None
        self.version = RoadsVersion(f"Valhalla {valhalla.__version__}", f"SHA-256 {digest}")

    def answer(self, what: str, request: bytes) -> bytes | None:
        """Ask the package."""
        try:
            answer: str = getattr(self._actor, what)(request.decode())
        except RuntimeError:
            return None
        return answer.encode()
