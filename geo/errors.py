"""What the pure core refuses, each with a stable code that screens translate."""


class GeoError(ValueError):
    """An input the core cannot judge.

    Parameters
    ----------
    code : stable, lower-case identifier; never shown as is, used for translation.
    detail : one English line for logs and the command line.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


class PolicyError(GeoError):
    """A policy document names an unknown threshold or gives it a value that makes no sense."""


class UnreadableInput(GeoError):
    """A fix file, fence file or argument that cannot be read as what it claims to be."""


class GeofenceError(GeoError):
    """A shape that cannot be a geofence.

    Parameters
    ----------
    code : see `geo.geofence.REFUSALS`.
    detail : one English line.
    point : ``(lon_deg, lat_deg)`` where the trouble is, when there is one place to show.
    """

    def __init__(self, code: str, detail: str, point: tuple[float, float] | None = None) -> None:
        super().__init__(code, detail)
        self.point = point
