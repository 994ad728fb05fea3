"""The only way out to providers: one POST, guarded, bounded in time and size.

An address in a tenant's settings must not reach the inside of the operator's network. The
name is resolved once, every address it has must be a public one, the connection goes to the
address that was checked, and no redirect is followed. Hosts that the operator names in
`OUTPOST_CARRIER_HOSTS` may be private and may speak plain HTTP.
"""

import http.client
import io
import ipaddress
import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import SplitResult, urlsplit

from server.carriers.rules import RefusalCode

_log = logging.getLogger(__name__)
Resolver = Callable[[str, int, float], list[str]]
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Limits:
    """How long and how much at most, seconds and bytes."""

    connect_s: float = 3.0
    """One attempt to connect, TLS included."""
    read_s: float = 15.0
    """Silence while the answer is awaited."""
    total_s: float = 20.0
    """Everything, name look-up included, however steadily bytes drip."""
    max_bytes: int = 65_536


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; `body` is whole and within the limit."""

    status: int
    content_type: str
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why nothing came back; `detail` holds no address, credential or content."""

    code: RefusalCode
    detail: str


def resolve(host: str, port: int, timeout_s: float) -> list[str]:
    """Return the addresses of a name, in the system's order.

    Raises
    ------
    OSError : there are none, or not in time (`TimeoutError`).
    """
    found: list[list[str]] = []
    failed: list[OSError] = []

    def look_up() -> None:
        try:
            infos = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            failed.append(error if isinstance(error, OSError) else OSError("no such name"))
        else:
            found.append(list(dict.fromkeys(str(info[4][0]) for info in infos)))

    # getaddrinfo knows no time-out; a thread that is late ends by itself.
    thread = threading.Thread(target=look_up, name="carrier-name-lookup", daemon=True)
    thread.start()
    thread.join(timeout_s)
    if failed:
        raise failed[0]
    if not found:
        raise TimeoutError
    return found[0]


@dataclass(frozen=True, slots=True)
class Egress:
    """Posts to providers.

    Parameters
    ----------
    allowed : hosts (`name`, `address` or either with `:port`) that may be private and
        speak plain HTTP; named by the operator, never by a tenant.
    resolver : gives the addresses of a name; tests bring their own.
    """

    allowed: Collection[str] = ()
    resolver: Resolver = resolve

    def refusal_of(self, url: str) -> str | None:
        """Return what is wrong with an address as far as it can be told without calling."""
        parts = _parts(url)
        if isinstance(parts, str):
            return parts
        if parts.scheme != "https" and not self._is_allowed(parts):
            return "only https is allowed"
        return None

    def post(
        self, url: str, body: bytes, *, headers: Mapping[str, str], limits: Limits
    ) -> Answer | Trouble:
        """Send one request and read its answer.

        Parameters
        ----------
        url : https, or http for a host that is allowed.
        headers : beside Host, Content-Length and Connection.
        limits : bounds of this call.

        Returns
        -------
        The answer whatever its status except a redirect; or why there is none. Never raises
        on anything the other side or the network does.
        """
        deadline = time.monotonic() + limits.total_s
        wrong = self.refusal_of(url)
        if wrong is not None:
            return Trouble(RefusalCode.FORBIDDEN_ADDRESS, wrong)
        parts = urlsplit(url)
        try:
            addresses = self.resolver(
                parts.hostname or "", _port(parts), min(limits.connect_s, limits.total_s)
            )
        except TimeoutError:
            return Trouble(RefusalCode.TIMEOUT, "the name was not resolved in time")
        except OSError:
            return Trouble(RefusalCode.UNREACHABLE, "the name cannot be resolved")
        if not self._is_allowed(parts) and not all(is_public(each) for each in addresses):
            return Trouble(RefusalCode.FORBIDDEN_ADDRESS, "the name leads into a private network")
        try:
            with _connect(parts, addresses, limits, deadline) as line:
                return _exchange(line, parts, body, headers, limits)
        except TimeoutError:
            return Trouble(RefusalCode.TIMEOUT, "no whole answer in time")
        except ssl.SSLError as error:
            return Trouble(RefusalCode.UNREACHABLE, f"TLS: {error.reason or 'refused'}")
        except http.client.RemoteDisconnected:
            return Trouble(RefusalCode.UNREACHABLE, "the connection was closed without an answer")
        except http.client.HTTPException as error:
            return Trouble(RefusalCode.BAD_ANSWER, f"not HTTP: {type(error).__name__}")
        except OSError as error:
            return Trouble(RefusalCode.UNREACHABLE, error.strerror or type(error).__name__)

    def _is_allowed(self, parts: SplitResult) -> bool:
        host = parts.hostname or ""
        return host in self.allowed or f"{host}:{_port(parts)}" in self.allowed


def is_public(address: str) -> bool:
    """Tell whether an address belongs to the public internet, also when wrapped in IPv6."""
    try:
        ip = ipaddress.ip_address(address.split("%", 1)[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
        if ip.is_site_local:
            return False
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified)


def _parts(url: str) -> SplitResult | str:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "this is no address"
    if parts.scheme not in _PORTS or not parts.hostname:
        return "this is no http or https address"
    if parts.username is not None or parts.password is not None:
        return "credentials do not belong into the address"
    if port == 0 or any(c <= " " or c == "\x7f" or ord(c) > 126 for c in url):
        return "this is no address"
    return parts


def _port(parts: SplitResult) -> int:
    return parts.port or _PORTS[parts.scheme]


class _Line(io.RawIOBase):
    """A connection on which every wait ends at the deadline, however bytes drip."""

    def __init__(self, sock: socket.socket, *, read_s: float, deadline: float) -> None:
        self._sock = sock
        self._read_s = read_s
        self._deadline = deadline

    def _wait(self, at_most_s: float) -> None:
        left_s = self._deadline - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        self._sock.settimeout(min(at_most_s, left_s))

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        self._wait(self._read_s)
        return self._sock.recv_into(buffer)

    def sendall(self, data: bytes) -> None:
        self._wait(self._read_s)
        self._sock.sendall(data)

    def makefile(self, _mode: str) -> io.BufferedReader:
        # What reads the answer closes its file; the connection is closed by its opener.
        return io.BufferedReader(_Unclosed(self))

    def close(self) -> None:
        if not self.closed:
            self._sock.close()
        super().close()


class _Unclosed(io.RawIOBase):
    def __init__(self, line: _Line) -> None:
        self._line = line

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        return self._line.readinto(buffer)


def _connect(parts: SplitResult, addresses: list[str], limits: Limits, deadline: float) -> _Line:
    host, port = parts.hostname or "", _port(parts)
    context = ssl.create_default_context() if parts.scheme == "https" else None
    failed: OSError = ConnectionError("no address")
    for address in addresses:
        left_s = min(limits.connect_s, deadline - time.monotonic())
        if left_s <= 0:
            raise TimeoutError
        try:
            sock = socket.create_connection((address, port), timeout=left_s)
        except OSError as error:
            failed = error
            continue
        if context is not None:
            try:
                sock = context.wrap_socket(sock, server_hostname=host)
            except BaseException:
                sock.close()
                raise
        return _Line(sock, read_s=limits.read_s, deadline=deadline)
    raise failed


def _exchange(
    line: _Line, parts: SplitResult, body: bytes, headers: Mapping[str, str], limits: Limits
) -> Answer | Trouble:
    path = parts.path or "/"
    if parts.query:
        path += f"?{parts.query}"
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port)
    connection.auto_open = 0
    connection.sock = line
    host = parts.netloc
    connection.putrequest("POST", path, skip_host=True, skip_accept_encoding=True)
    fixed = {"Host": host, "Content-Length": str(len(body)), "Connection": "close"}
    for name, value in {**headers, **fixed, "Accept-Encoding": "identity"}.items():
        connection.putheader(name, value)
    connection.endheaders(body)
    with connection.getresponse() as response:
        if 300 <= response.status < 400:
            return Trouble(RefusalCode.REDIRECT, f"HTTP {response.status}")
        if response.getheader("Content-Encoding", "identity").lower() != "identity":
            return Trouble(RefusalCode.BAD_ANSWER, "compressed, which was not asked for")
        if (response.length or 0) > limits.max_bytes:
            return Trouble(RefusalCode.TOO_BIG, f"more than {limits.max_bytes} bytes")
        content = response.read(limits.max_bytes + 1)
        if len(content) > limits.max_bytes:
            return Trouble(RefusalCode.TOO_BIG, f"more than {limits.max_bytes} bytes")
        if response.length:
            return Trouble(RefusalCode.BAD_ANSWER, "the answer was cut off")
        kind = response.getheader("Content-Type", "")
        return Answer(response.status, kind, content)
