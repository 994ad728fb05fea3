"""An app behind a real address on loopback, and nothing left of it afterwards."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from flask import Flask
from werkzeug.serving import make_server

from web.live.hub import Hub


@contextmanager
def serving(app: Flask) -> Iterator[str]:
    """Serve an app; yields its address.

    Requests still under way when it ends are waited for: one that outlives its database
    would open a connection that nobody closes.
    """
    server = make_server("127.0.0.1", 0, app, threaded=True)
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
