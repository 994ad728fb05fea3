"""A small real HTTP server that plays carriers and positioning services, well and badly.

It reads requests with nothing of the product and answers from tables that a test fills.
A `mood` replaces the answer by something a healthy server would not do.
"""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from xml.etree import ElementTree as ET

Mood = Callable[["Handler"], None]
USER, PASSWORD, KEY = "acme", "s3cret&<", "k-123"


@dataclass(slots=True)
class Asked:
    """One request as it arrived."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class CarrierServer:
    """What the server knows and what it was asked.

    `phones` maps a number as it is sent to the inside of a `pos`, or to a result number
    for the whole answer; `cells` maps (mcc, mnc, area, cell) to (lat, lng, accuracy).
    """

    port: int = 0
    phones: dict[str, str | int] = field(default_factory=dict)
    cells: dict[tuple[int | None, int | None, int | None, int], tuple[float, float, float]] = field(
        default_factory=dict
    )
    areas: dict[tuple[int | None, int | None, int | None], tuple[float, float, float]] = field(
        default_factory=dict
    )
    mood: Mood | None = None
    asked: list[Asked] = field(default_factory=list)
    ending: threading.Event = field(default_factory=threading.Event)

    @property
    def host(self) -> str:
        """What the operator has to allow."""
        return f"127.0.0.1:{self.port}"

    def url(self, path: str) -> str:
        """Address of one of `/geolocate`, `/mlp` and `/le`."""
        return f"http://{self.host}{path}"


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    scene: CarrierServer

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients that hang up are what is tested."""


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server: _Server

    @property
    def scene(self) -> CarrierServer:
        """What the test set up."""
        return self.server.scene

    def log_message(self, *_: Any) -> None:
        """Keep quiet."""

    def do_POST(self) -> None:
        """Answer one question, or misbehave."""
        self.close_connection = True
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self.scene.asked.append(Asked(self.path, dict(self.headers), body))
        # A client that gives up is what many tests are about.
        with suppress(ConnectionError):
            if self.scene.mood is not None:
                self.scene.mood(self)
            elif self.path.startswith("/geolocate"):
                self._geolocate(json.loads(body))
            else:
                self._locate(body, chinese=self.path.startswith("/le"))

    def answer(self, body: bytes, content_type: str, *, status: int = 200, **headers: str) -> None:
        """Send a whole answer."""
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def _geolocate(self, question: dict[str, Any]) -> None:
        if self.path != f"/geolocate?key={KEY}":
            self._json(400, _error(400, "keyInvalid"))
            return
        for tower in question.get("cellTowers", []):
            area = tuple(
                tower.get(name)
                for name in ("mobileCountryCode", "mobileNetworkCode", "locationAreaCode")
            )
            cell = tower.get("cellId", tower.get("newRadioCellId"))
            exact = self.scene.cells.get((*area, cell))
            near = self.scene.areas.get(area)
            if exact is not None:
                self._json(200, _place(*exact))
                return
            if near is not None and question["fallbacks"]["lacf"]:
                self._json(200, {**_place(*near), "fallback": "lacf"})
                return
        self._json(404, _error(404, "notFound"))

    def _json(self, status: int, content: dict[str, Any]) -> None:
        self.answer(json.dumps(content).encode(), "application/json", status=status)

    def _locate(self, body: bytes, *, chinese: bool) -> None:
        text = body.decode("gb2312" if chinese else "utf-8")
        root = ET.fromstring(text.partition("?>")[2])  # noqa: S314  # of the product itself
        number = root.findtext(".//msid") or ""
        known = root.findtext(".//client/id") == USER and root.findtext(".//pwd") == PASSWORD
        found = self.scene.phones.get(number, 4) if known else 3
        if isinstance(found, int):
            inside = f'<result resid="{found}">{NAMES.get(found, "OTHER")}</result>'
            if chinese:
                inside += "<add_info>用户说明</add_info>"
        else:
            inside = f"<pos><msid>{number}</msid>{found}</pos>"
        if chinese:
            answer = (
                '<?xml version="1.0" encoding="GB2312"?><svc_result ver="2.0.0">'
                f'<slia ver="2.0.0">{inside}</slia></svc_result>'
            ).encode("gb2312")
            self.answer(answer, "text/xml; charset=GB2312")
            return
        answer = (
            '<?xml version="1.0" encoding="UTF-8"?>'
            '<!DOCTYPE svc_result SYSTEM "MLP_SVC_RESULT_310.DTD">'
            '<svc_result xmlns="MLP_SVC_RESULT_310.dtd" ver="3.1.0">'
            f'<slia ver="3.1.0">{inside}</slia></svc_result>'
        ).encode()
        self.answer(answer, "text/xml")


NAMES = {
    3: "UNAUTHORIZED APPLICATION",
    4: "UNKNOWN SUBSCRIBER",
    5: "ABSENT SUBSCRIBER",
    101: "CONGESTION IN LOCATION SERVER",
    202: "POSITIONING NOT ALLOWED",
}


def seen(*, time: str, off: str, x: str, y: str, radius_m: int = 300) -> str:
    """Inside of a `pos`: a circle at a time."""
    return (
        f'<pd><time utc_off="{off}">{time}</time><shape><CircularArea srsName='
        f'"www.epsg.org#4326"><coord><X>{x}</X><Y>{y}</Y><Z>NaN</Z></coord>'
        f"<angle>0</angle><radius>{radius_m}</radius></CircularArea></shape></pd>"
    )


def _place(lat: float, lng: float, accuracy: float) -> dict[str, Any]:
    return {"location": {"lat": lat, "lng": lng}, "accuracy": accuracy}


def _error(code: int, reason: str) -> dict[str, Any]:
    return {"error": {"errors": [{"domain": "d", "reason": reason}], "code": code}}


def drips(handler: Handler) -> None:
    """Promise an answer and send a byte every 50 ms, for ever."""
    handler.send_response(200)
    handler.send_header("Content-Type", "text/xml")
    handler.send_header("Content-Length", "9000")
    handler.end_headers()
    while not handler.scene.ending.wait(0.05):
        handler.wfile.write(b" ")


def drips_headers(handler: Handler) -> None:
    """Never come to the end of the headers."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while not handler.scene.ending.wait(0.05):
        handler.wfile.write(b"a")


def sleeps(handler: Handler) -> None:
    """Take the question and say nothing."""
    handler.scene.ending.wait(30)


def hangs_up(handler: Handler) -> None:
    """Close the connection without a word."""
    handler.connection.close()


def cuts_off(handler: Handler) -> None:
    """Promise more than is sent."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n<svc_result>")


def never_ends(handler: Handler) -> None:
    """Send chunks without end."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while not handler.scene.ending.is_set():
        handler.wfile.write(b"1000\r\n" + b"x" * 4096 + b"\r\n")


def promises_much(handler: Handler) -> None:
    """Announce a terabyte."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\nx")


def is_no_http(handler: Handler) -> None:
    """Speak another protocol."""
    handler.wfile.write(b"220 mail.example ESMTP\r\n")


def says(body: bytes, content_type: str = "text/xml", *, status: int = 200, **headers: str) -> Mood:
    """Always send this."""

    def mood(handler: Handler) -> None:
        handler.answer(body, content_type, status=status, **headers)

    return mood


@contextmanager
def carrier_server() -> Iterator[CarrierServer]:
    """Run one on loopback; every connection has ended when it is left."""
    server = _Server(("127.0.0.1", 0), Handler)
    scene = CarrierServer(port=server.server_address[1])
    server.scene = scene
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield scene
    finally:
        scene.ending.set()
        server.shutdown()
        thread.join()
        server.server_close()
