"""The server of the browser tests leaves nothing open behind a browser that hangs up."""

import gc
import socket
import struct
import time
import warnings
from pathlib import Path

from flask import Flask, Response, send_file

from tests.factories.serving import serving


def test_a_reset_in_the_middle_of_a_file_leaves_no_file_open(tmp_path: Path) -> None:
    (tmp_path / "tiles").write_bytes(b"x" * 100_000)
    app = Flask("files")

    @app.get("/")
    def tiles() -> Response:
        return send_file(tmp_path / "tiles")

    with warnings.catch_warnings():
        warnings.simplefilter("error", ResourceWarning)
        with serving(app) as address:
            port = int(address.rsplit(":", 1)[1])
            for turn in range(40):
                client = socket.create_connection(("127.0.0.1", port))
                # a reset instead of an orderly end
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                time.sleep(0.004 * (turn % 5))
                client.close()
                time.sleep(0.03)
        gc.collect()
