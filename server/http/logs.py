"""What the web processes add to their logs: the request and an opaque actor."""

from collections.abc import Mapping

from flask import has_request_context
from gunicorn.glogging import Logger

from server.http.context import principal_or_none
from server.http.requests import request_id


def request_context() -> Mapping[str, object]:
    """Return the id of the current request and the account that makes it, if any."""
    if not has_request_context():
        return {}
    viewer = principal_or_none()
    actor = {} if viewer is None else {"actor": str(viewer.account_id)}
    return {"request_id": request_id(), **actor}


class GunicornLogger(Logger):  # type: ignore[misc]  # gunicorn ships no types
    """Gunicorn's messages through the process's own handlers."""

    def setup(self, cfg: object) -> None:
        """Drop gunicorn's handlers; what it says goes up to the root logger."""
        super().setup(cfg)
        for log in (self.error_log, self.access_log):
            log.handlers.clear()
            log.propagate = True
