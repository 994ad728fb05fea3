"""A browser's EventSource, as far as the wire goes: real socket, real bytes."""

import contextlib
import http.client
import socket
import threading
from dataclasses import dataclass, field
from queue import Empty, Queue
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import orjson


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """One dispatched event."""

    name: str
    id: str
    data: dict[str, object]


@dataclass(slots=True)
class EventSource:
    """Reads a stream in a thread of its own until it ends or is closed."""

    url: str
    cookie: str | None = None
    last_event_id: str | None = None
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    raw: list[bytes] = field(default_factory=list)
    _events: Queue[ServerEvent | None] = field(default_factory=Queue)
    _connection: http.client.HTTPConnection | None = None
    _socket: socket.socket | None = None
    _thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        parts = urlsplit(self.url)
        headers = {"Accept": "text/event-stream"}
        if self.cookie:
            headers["Cookie"] = f"sid={self.cookie}"
        if self.last_event_id:
            headers["Last-Event-ID"] = self.last_event_id
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=20)
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        self._connection.request("GET", target, headers=headers)
        # An answer without a length takes the socket away from its connection.
        self._socket = self._connection.sock
        response = self._connection.getresponse()
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self._thread = threading.Thread(target=self._read, args=(response,), daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._connection is not None
        assert self._thread is not None
        assert self._socket is not None
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)
        self._socket.close()
        self._connection.close()

    def next(self, *names: str, timeout_s: float = 8) -> ServerEvent:
        """Return the next event with one of these names; others before it are dropped."""
        while True:
            event = self._events.get(timeout=timeout_s)
            assert event is not None, f"the stream ended while waiting for {names}"
            if not names or event.name in names:
                return event

    def silent_for(self, seconds: float, *names: str) -> bool:
        """Whether none of these events comes within a time."""
        try:
            return self.next(*names, timeout_s=seconds) is None
        except Empty:
            return True

    def ends_within(self, seconds: float) -> bool:
        """Whether the server closes the stream within a time."""
        try:
            while self._events.get(timeout=seconds) is not None:
                pass
        except Empty:
            return False
        return True

    def _read(self, response: http.client.HTTPResponse) -> None:
        name, event_id, data = "message", self.last_event_id or "", b""
        try:
            while line := response.readline():
                self.raw.append(line)
                text = line.decode().rstrip("\n")
                if not text:
                    if data:
                        self._events.put(ServerEvent(name, event_id, orjson.loads(data)))
                    name, data = "message", b""
                elif text.startswith("event: "):
                    name = text[7:]
                elif text.startswith("id: "):
                    event_id = text[4:]
                elif text.startswith("data: "):
                    data += text[6:].encode()
        except (OSError, http.client.HTTPException, ValueError):
            # Closed from this side.
            self._events.put(None)
            return
        self._events.put(None)
