"""The way out: what may be called, how long it may take, how much is read."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from server.carriers.egress import Answer, Egress, Limits, Trouble, is_public, resolve
from server.carriers.rules import RefusalCode
from tests.factories import carrier_server as moods
from tests.factories.carrier_server import CarrierServer, Mood, carrier_server
from tests.factories.certificates import throwaway_certificate

QUICK = Limits(connect_s=2.0, read_s=0.4, total_s=0.8, max_bytes=10_000)
PATIENT = Limits(connect_s=10.0, read_s=20.0, total_s=20.0, max_bytes=10_000)


@pytest.fixture(scope="module")
def server() -> Iterator[CarrierServer]:
    with carrier_server() as scene:
        yield scene


@pytest.fixture
def post(server: CarrierServer) -> Callable[..., Answer | Trouble]:
    egress = Egress([server.host])
    server.mood = None
    server.asked.clear()

    def send(mood: Mood, limits: Limits = PATIENT) -> Answer | Trouble:
        server.mood = mood
        return egress.post(server.url("/mlp"), b"<q/>", headers={}, limits=limits)

    return send


def code_of(answer: Answer | Trouble) -> RefusalCode:
    assert isinstance(answer, Trouble), answer
    return answer.code


def test_an_answer_comes_back_whole(
    post: Callable[..., Answer | Trouble], server: CarrierServer
) -> None:
    answer = post(moods.says(b"<ok/>" * 1000, "text/xml; charset=GB2312", status=403))
    assert answer == Answer(403, "text/xml; charset=GB2312", b"<ok/>" * 1000)
    (asked,) = server.asked
    assert asked.body == b"<q/>"
    assert asked.headers["Host"] == server.host
    assert asked.headers["Accept-Encoding"] == "identity"


@pytest.mark.parametrize(
    "mood", [moods.drips, moods.drips_headers, moods.sleeps], ids=lambda mood: str(mood.__name__)
)
def test_an_answer_that_takes_too_long_is_given_up(
    post: Callable[..., Answer | Trouble], mood: Mood
) -> None:
    assert code_of(post(mood, QUICK)) is RefusalCode.TIMEOUT


def test_a_drip_is_given_up_though_no_byte_is_late(post: Callable[..., Answer | Trouble]) -> None:
    steady = Limits(connect_s=5.0, read_s=20.0, total_s=1.0, max_bytes=100_000)
    assert code_of(post(moods.drips, steady)) is RefusalCode.TIMEOUT


@pytest.mark.parametrize(
    ("mood", "code"),
    [
        (moods.hangs_up, RefusalCode.UNREACHABLE),
        (moods.cuts_off, RefusalCode.BAD_ANSWER),
        (moods.is_no_http, RefusalCode.BAD_ANSWER),
        (moods.never_ends, RefusalCode.TOO_BIG),
        (moods.promises_much, RefusalCode.TOO_BIG),
        (moods.says(b"x" * 10_001), RefusalCode.TOO_BIG),
        (moods.says(b"zip", Content_Encoding="gzip"), RefusalCode.BAD_ANSWER),
        (moods.says(b"", status=302, Location="http://127.0.0.1:1/"), RefusalCode.REDIRECT),
        (moods.says(b"", status=307, Location="https://example.com/"), RefusalCode.REDIRECT),
    ],
)
def test_a_bad_answer_has_a_reason(
    post: Callable[..., Answer | Trouble], server: CarrierServer, mood: Mood, code: RefusalCode
) -> None:
    assert code_of(post(mood)) is code
    assert len(server.asked) == 1, "nothing is followed or tried again"


def test_the_largest_answer_allowed_is_read(post: Callable[..., Answer | Trouble]) -> None:
    answer = post(moods.says(b"x" * 10_000))
    assert isinstance(answer, Answer)
    assert len(answer.body) == 10_000


def test_nobody_there() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        host = f"127.0.0.1:{port}"
        answer = Egress([host]).post(f"http://{host}/", b"", headers={}, limits=PATIENT)
    assert code_of(answer) is RefusalCode.UNREACHABLE


SECRETLY_INSIDE = [
    *("127.0.0.1", "127.1.2.3", "10.0.0.1", "172.16.5.4", "192.168.1.1", "169.254.169.254"),
    *("100.64.0.1", "0.0.0.0", "255.255.255.255", "224.0.0.1", "198.18.0.1", "192.0.2.1"),
    *("::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12::1", "ff02::1", "fec0::1"),
    *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a00:1"),
    *("2002:7f00:1::", "2002:a00:1::", "2001:db8::1", "not an address", ""),
]


@pytest.mark.parametrize("address", SECRETLY_INSIDE)
def test_what_is_not_public_is_not_called(address: str) -> None:
    assert not is_public(address)
    calls = []

    def rebinds(host: str, port: int, timeout_s: float) -> list[str]:
        calls.append((host, port, timeout_s))
        return ["93.184.216.34", address]

    answer = Egress(resolver=rebinds).post(
        "https://carrier.example/le", b"", headers={}, limits=PATIENT
    )
    assert code_of(answer) is RefusalCode.FORBIDDEN_ADDRESS
    assert len(calls) == 1, "a name is resolved once"


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:4700::1111", "114.114.114.114"])
def test_public_addresses_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "url",
    [
        *("http://carrier.example/", "ftp://carrier.example/", "gopher://carrier.example/"),
        *("file:///etc/passwd", "//carrier.example/", "carrier.example", "", "https://"),
        *("https://user:pw@carrier.example/", "https://carrier.example:0/"),
        *("https://carrier.example:99999/", "https://[::1/", "https://carrier.example/a b"),
        *("https://carrier.example/\r\nX: y", "https://例子.example/", "https:///path"),
    ],
)
def test_what_is_no_https_address_is_refused(url: str) -> None:
    egress = Egress(resolver=lambda *_: pytest.fail("it must not be looked up"))
    assert egress.refusal_of(url) is not None
    answer = egress.post(url, b"", headers={}, limits=PATIENT)
    assert code_of(answer) is RefusalCode.FORBIDDEN_ADDRESS


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1", "0x7f.1", "2130706433", "localhost"])
def test_loopback_by_any_other_name_is_refused(host: str) -> None:
    answer = Egress().post(f"https://{host}/", b"", headers={}, limits=PATIENT)
    assert code_of(answer) is RefusalCode.FORBIDDEN_ADDRESS


def test_only_the_operator_opens_a_private_host(server: CarrierServer) -> None:
    server.mood = moods.says(b"<ok/>")
    url = server.url("/mlp")
    for allowed in ([server.host], ["127.0.0.1"]):
        assert isinstance(Egress(allowed).post(url, b"", headers={}, limits=PATIENT), Answer), (
            allowed
        )
    for allowed in ([], ["127.0.0.1:1"], ["localhost"]):
        answer = Egress(allowed).post(url, b"", headers={}, limits=PATIENT)
        assert code_of(answer) is RefusalCode.FORBIDDEN_ADDRESS


def test_the_connection_goes_to_the_address_that_was_checked(server: CarrierServer) -> None:
    server.mood = moods.says(b"<ok/>")
    server.asked.clear()
    lookups = []

    def once(host: str, _port: int, _timeout_s: float) -> list[str]:
        lookups.append(host)
        return ["127.0.0.1"]

    name = f"carrier.test:{server.port}"
    answer = Egress([name], once).post(f"http://{name}/le", b"", headers={}, limits=PATIENT)
    assert isinstance(answer, Answer)
    assert lookups == ["carrier.test"]
    assert server.asked[0].headers["Host"] == name


def test_a_name_that_is_not_resolved_in_time() -> None:
    def slow(_host: str, _port: int, _timeout_s: float) -> list[str]:
        raise TimeoutError

    answer = Egress(resolver=slow).post("https://a.example/", b"", headers={}, limits=QUICK)
    assert code_of(answer) is RefusalCode.TIMEOUT


def test_a_name_that_does_not_exist() -> None:
    with pytest.raises(OSError):  # noqa: PT011  # the words are the system's
        resolve("a..b", 443, 10.0)


def test_a_certificate_that_nobody_signed_is_refused(tmp_path: Path) -> None:
    """TLS is checked against the name of the address."""
    for name, content in throwaway_certificate("127.0.0.1").items():
        (tmp_path / name).write_bytes(content)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "tls_certificate", tmp_path / "tls_key")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(60)
        port = listener.getsockname()[1]

        def serve() -> None:
            line, _ = listener.accept()
            with line:
                try:
                    context.wrap_socket(line, server_side=True).close()
                except OSError:
                    return

        thread = threading.Thread(target=serve)
        thread.start()
        host = f"127.0.0.1:{port}"
        answer = Egress([host]).post(f"https://{host}/", b"", headers={}, limits=PATIENT)
        thread.join()
    assert code_of(answer) is RefusalCode.UNREACHABLE
    assert isinstance(answer, Trouble)
    assert answer.detail.startswith("TLS")


def test_what_went_wrong_never_names_the_address_or_its_key(server: CarrierServer) -> None:
    egress = Egress([server.host])
    for mood in (moods.hangs_up, moods.is_no_http, moods.cuts_off, moods.sleeps):
        server.mood = mood
        url = server.url("/geolocate?key=TOPSECRET")
        answer = egress.post(url, b"", headers={}, limits=QUICK)
        assert isinstance(answer, Trouble)
        assert "TOPSECRET" not in f"{answer}"
        assert str(server.port) not in answer.detail


def test_nothing_is_left_running() -> None:
    """Threads of look-ups end by themselves; connections are closed."""
    deadline = time.monotonic() + 30
    while any(t.name == "carrier-name-lookup" for t in threading.enumerate()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
