"""Passwords: what is refused, what a hash costs, and how many at once."""

import threading

import pytest

from server.errors import InvalidInput
from server.people import passwords


def test_the_hash_is_argon2id_with_the_parameters_asked_for() -> None:
    made = passwords.hash_password("quiet-harbour-42")
    assert made.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert passwords.verify_password(made, "quiet-harbour-42")
    assert not passwords.verify_password(made, "quiet-harbour-43")
    assert not passwords.needs_rehash(made)


def test_nobodys_password_never_fits() -> None:
    assert not passwords.verify_password(None, "nobody has this password")
    assert not passwords.verify_password("damaged", "anything at all")


@pytest.mark.parametrize(
    ("password", "code"),
    [
        ("short", "password_short"),
        ("x" * 257, "password_long"),
        ("1234567890", "password_common"),
        ("PassWord123", "password_common"),
        ("aaaaaaaaaaab", "password_common"),
        ("acme-2026!", "password_context"),
        ("annlee1234", "password_context"),
        ("OutPost2026", "password_context"),
    ],
)
def test_easy_passwords_are_refused_with_a_reason(password: str, code: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        passwords.check_password(password, context=("annlee", "acme-"))
    assert refusal.value.fields == {"password": code}


def test_a_good_password_passes() -> None:
    passwords.check_password("山高水长 2026 远", context=("annlee",))


def test_the_same_work_is_done_for_an_unknown_account(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    real = passwords._fits

    def counted(known: str, password: str) -> bool:
        seen.append(known.split("$")[3])
        return real(known, password)

    monkeypatch.setattr(passwords, "_fits", counted)
    passwords.verify_password(None, "quiet-harbour-42")
    passwords.verify_password(passwords.hash_password("quiet-harbour-42"), "quiet-harbour-42")
    assert seen == ["m=19456,t=2,p=1"] * 2


def test_no_more_than_two_hashes_run_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    running, most = 0, 0
    lock, gate = threading.Lock(), threading.Event()

    def slow(_known: str, _password: str) -> bool:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        gate.wait(timeout=5)
        with lock:
            running -= 1
        return True

    monkeypatch.setattr(passwords, "_fits", slow)
    threads = [
        threading.Thread(target=passwords.verify_password, args=("any", "any")) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    while running < 2:
        gate.wait(timeout=0.01)
    assert not gate.wait(timeout=0.1)
    assert most == 2
    gate.set()
    for thread in threads:
        thread.join(timeout=10)
    assert most == 2
