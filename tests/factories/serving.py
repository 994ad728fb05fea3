"""An app behind a real address on loopback, and nothing left of it afterwards."""

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from flask import Flask
from werkzeug.serving import make_server

from web.live.hub import Hub

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


def closing(app: "WSGIApplication") -> "WSGIApplication":
    """Close each answer, also when the browser hangs up in the middle of a file.

    Werkzeug's server then forgets to (it drains the socket first, and that raises), which
    leaves an open file for the collector to complain about in some later test. A generator
    that nobody holds any more is closed at once, and so is what it hands on.
    """

    def serve(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        answer = app(environ, start_response)
        try:
            yield from answer
        finally:
            if hasattr(answer, "close"):
                answer.close()

    return serve


@contextmanager
def serving(app: Flask) -> Iterator[str]:
    """Serve an app; yields its address.

    Requests still under way when it ends are waited for: one that outlives its database
    would open a connection that nobody closes.
    """
    server = make_server("127.0.0.1", 0, closing(app), threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        hub = app.extensions.get("outpost.live_hub")
        if isinstance(hub, Hub):
            hub.stop()
        server.shutdown()
        thread.join(5)
        server.server_close()
        for each in threading.enumerate():
            if "process_request_thread" in each.name:
                each.join(5)
