"""Names of basemaps and reasons of refusals, in the reader's language."""

from server.people.basemaps import BasemapKind
from web.texts import _


def kinds() -> dict[str, tuple[str, str]]:
    """Return name and explanation of each kind, by value."""
    return {
        BasemapKind.BUILT_IN.value: (
            _("Built in"),
            _("The map that came with the installation. Nothing outside is asked."),
        ),
        BasemapKind.PMTILES.value: (
            _("Own file (PMTiles)"),
            _("A file in the folder of basemaps on this server. Nothing outside is asked."),
        ),
        BasemapKind.TIANDITU.value: (
            _("Tianditu"),
            _("China's public map. Browsers fetch pictures from tianditu.gov.cn."),
        ),
        BasemapKind.AMAP.value: (
            _("AMap"),
            _("Its pictures are shifted (GCJ-02); they are shifted back so that positions fit."),
        ),
        BasemapKind.RASTER.value: (
            _("OpenStreetMap or other pictures"),
            _("Any server of map pictures; its terms are yours to keep."),
        ),
        BasemapKind.STYLE.value: (
            _("MapLibre style"),
            _("Any style by its address, with the hosts that it fetches from."),
        ),
    }


def reason(code: str | None) -> str:
    """Return what is wrong with a field, in words; nothing for nothing."""
    if not code:
        return ""
    words = {
        "missing": _("This is needed."),
        "not_https": _("An address that begins with https:// is needed."),
        "not_a_template": _("The address needs {z}, {x} and {y}."),
        "not_a_file_name": _("Choose a file."),
        "no_such_file": _("There is no such file in the folder of basemaps."),
        "too_long": _("This is too long."),
    }
    return words.get(code, _("This cannot be read."))
