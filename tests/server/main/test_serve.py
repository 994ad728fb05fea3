"""The two HTTP processes as they run in production: gunicorn, started by the command."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

import pytest

from fixtures.stack import DatabaseUrls, Stack
from fixtures.stack.ports import free_port

CHECKOUT = Path(__file__).resolve().parents[3]
OPTIONS = {"web": ("--workers", "1", "--threads", "2"), "stream": ()}


@contextmanager
def serving(
    command: str, stack: Stack, database: DatabaseUrls, port: int
) -> Iterator[subprocess.Popen[str]]:
    """Run a process until the block ends."""
    process = subprocess.Popen(
        [
            *(sys.executable, "-c", "from server.main.cli import main; main()"),
            *(command, "--bind", f"127.0.0.1:{port}", *OPTIONS[command]),
        ],
        cwd=CHECKOUT,
        env={**os.environ, **stack.settings_env(database)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate(timeout=10)


def get(port: int, path: str) -> tuple[int, bytes, dict[str, str]]:
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read(), dict(answer.getheaders())
    finally:
        connection.close()


def wait_until_up(process: subprocess.Popen[str], port: int) -> None:
    for _ in range(300):
        assert process.poll() is None, process.communicate()[0]
        try:
            get(port, "/livez")
        except OSError:
            time.sleep(0.1)
        else:
            return
    pytest.fail("the process does not answer")


@pytest.mark.parametrize("command", ["web", "stream"])
def test_a_process_serves_and_ends_on_sigterm(
    command: str, stack: Stack, database: DatabaseUrls
) -> None:
    port = free_port(None)
    with serving(command, stack, database, port) as process:
        wait_until_up(process, port)
        assert get(port, "/livez")[:2] == (200, b"ok\n")
        assert get(port, "/readyz")[:2] == (200, b"ready\n")
        status, body, headers = get(port, "/api/nothing")
        assert (status, json.loads(body)["code"]) == (404, "not_found")
        assert headers["X-Content-Type-Options"] == "nosniff"
        process.send_signal(signal.SIGTERM)
        output = process.communicate(timeout=20)[0]
    assert process.returncode == 0, output
    entries = [json.loads(line) for line in output.splitlines()]
    assert any("Listening at" in entry["message"] for entry in entries)
    assert all(entry["level"] in {"info", "warning"} for entry in entries), output


def test_a_port_in_use_is_said_and_ends_the_process(stack: Stack, database: DatabaseUrls) -> None:
    port = free_port(None)
    with serving("stream", stack, database, port) as first:
        wait_until_up(first, port)
        with serving("web", stack, database, port) as second:
            output = second.communicate(timeout=30)[0]
    assert second.returncode == 1
    assert "already in use" in output or "in use" in output
    assert "Traceback" not in output
