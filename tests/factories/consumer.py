"""A real ingest process under a test, and what it left in the database."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from fixtures.stack import DatabaseUrls, Stack
from tests.factories.crew import plain_url

ROOT = Path(__file__).resolve().parents[2]


@dataclass(slots=True)
class Consumer:
    """`outpost ingest` as a child process."""

    env: dict[str, str]
    run_dir: Path
    log: Path
    child: subprocess.Popen[bytes] | None = field(default=None)

    def start(self, **extra: str) -> None:
        with self.log.open("ab") as log:
            self.child = subprocess.Popen(
                [sys.executable, "-m", "ingest"],
                cwd=ROOT,
                env={**os.environ, **self.env, **extra, "OUTPOST_RUN_DIR": str(self.run_dir)},
                stdout=log,
                stderr=log,
            )

    def wait_connected(self, timeout_s: float = 20.0) -> None:
        """Wait until it is subscribed; its status file says so."""
        assert self.child is not None
        path = self.run_dir / "ingest.status.json"
        pid = self.child.pid
        wait_until(lambda: _connected(path) == pid, timeout_s)

    def kill(self) -> None:
        assert self.child is not None
        self.child.kill()
        self.child.wait(10)

    def stop(self) -> int:
        assert self.child is not None
        self.child.send_signal(signal.SIGTERM)
        return self.child.wait(20)


def _connected(path: Path) -> int | None:
    """Process id of the consumer that wrote the file, when it is connected."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return int(found["pid"]) if found["connected"] else None


def wait_until(check: Callable[[], object], timeout_s: float = 10.0) -> None:
    """Wait for a condition, or fail."""
    deadline = time.monotonic() + timeout_s
    while not check():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.05)


@contextmanager
def consuming(stack: Stack, database: DatabaseUrls, folder: Path) -> Iterator[Consumer]:
    made = Consumer(stack.settings_env(database), folder, folder / "ingest.log")
    try:
        yield made
    finally:
        if made.child is not None and made.child.poll() is None:
            made.child.kill()
            made.child.wait(10)


class Rows:
    """What is in a database, read as superuser."""

    def __init__(self, urls: DatabaseUrls) -> None:
        self._url = plain_url(urls.superuser)

    def all(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with psycopg.connect(self._url) as connection:
            return connection.execute(query.encode(), values).fetchall()

    def one(self, query: str, *values: object) -> Any:
        ((value,),) = self.all(query, *values)
        return value
