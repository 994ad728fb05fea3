"""Fixtures of the whole suite: real services, fresh databases, counted statements."""

import itertools
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from redis import Redis
from sqlalchemy import Engine, event

from fixtures.stack import DatabaseUrls, Stack

_names = itertools.count(1)


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """Running PostgreSQL, mosquitto and Redis, shared by the session.

    With OUTPOST_TEST_RUN_DIR set, the stack that ``./dev test`` started there is used,
    otherwise a private one is started and removed at the end.
    """
    given = os.environ.get("OUTPOST_TEST_RUN_DIR")
    if given:
        yield Stack.attach(Path(given))
        return
    with own_stack() as started:
        yield started


@contextmanager
def own_stack() -> Iterator[Stack]:
    """Start a stack in a temporary folder and leave nothing behind."""
    _remove_orphans()
    folder = Path(tempfile.mkdtemp(prefix=f"outpost-test-{os.getpid()}-"))
    folder.chmod(0o755)
    try:
        started = Stack.start(folder)
        try:
            yield started
        finally:
            started.destroy()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _remove_orphans() -> None:
    """Stop services of test sessions that were killed and so could not clean up."""
    for folder in Path(tempfile.gettempdir()).glob("outpost-test-*-*"):
        owner = folder.name.split("-")[2]
        alive = not owner.isdigit() or Path(f"/proc/{owner}").exists()
        if not alive and folder.stat().st_uid == os.getuid():
            Stack.leftover(folder).destroy()


@pytest.fixture
def chaos_stack() -> Iterator[Stack]:
    """Stack of its own for a test that kills services."""
    with own_stack() as started:
        yield started


@pytest.fixture
def database(stack: Stack) -> Iterator[DatabaseUrls]:
    """Empty, migrated database with one address per role; dropped after the test."""
    name = f"test_{os.getpid()}_{next(_names)}"
    yield stack.create_database(name)
    stack.postgres.drop_database(name)


@pytest.fixture(scope="module")
def module_database(stack: Stack) -> Iterator[DatabaseUrls]:
    """Like `database`, shared by the tests of one module."""
    name = f"test_{os.getpid()}_{next(_names)}"
    yield stack.create_database(name)
    stack.postgres.drop_database(name)


@pytest.fixture
def redis_client(stack: Stack) -> Iterator[Redis]:
    """Client of the stack's Redis, emptied before and after the test."""
    with Redis.from_url(stack.redis.url) as client:
        client.flushall()
        yield client
        client.flushall()


@dataclass(slots=True)
class StatementCount:
    """SQL statements seen while counting."""

    statements: list[str] = field(default_factory=list)

    @property
    def count(self) -> int:
        """Number of statements."""
        return len(self.statements)


@pytest.fixture
def statement_counter() -> Callable[[Engine], AbstractContextManager[StatementCount]]:
    """Count the statements that an engine executes: ``with statement_counter(engine) as seen``."""
    return _count_statements


@contextmanager
def _count_statements(engine: Engine) -> Iterator[StatementCount]:
    seen = StatementCount()

    def record(_conn: object, _cursor: object, statement: str, *_rest: object) -> None:
        seen.statements.append(statement)

    event.listen(engine, "before_cursor_execute", record)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", record)
