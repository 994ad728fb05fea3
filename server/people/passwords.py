"""Passwords of accounts: argon2id, a bound on concurrent hashing, and what is refused."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from server.errors import InvalidInput, Unavailable

MIN_CHARS = 10
MAX_CHARS = 256
_MEMORY_KIB = 19_456
_WAIT_S = 8.0
# Each hash takes 19 MiB: a flood of sign-ins must not become a flood of memory.
_slots = threading.BoundedSemaphore(2)
_hasher = PasswordHasher(time_cost=2, memory_cost=_MEMORY_KIB, parallelism=1)
_COMMON = frozenset(
    (  # noqa: SIM905 - reads better than thirty quoted words
        "password passw0rd 123456789 1234567890 12345678910 qwertyuiop qwerty123456 iloveyou "
        "administrator letmein123 welcome123 changeme changeme123 abcdefghij abc123456789 "
        "0987654321 1q2w3e4r5t 1qaz2wsx3edc zaq12wsx qazwsxedc woaini1314 5201314520 "
        "a123456789 password123 password1234 p@ssw0rd123 football123 monkey12345"
    ).split()
)


def check_password(password: str, *, context: tuple[str, ...]) -> None:
    """Refuse a password that is easy to guess.

    Parameters
    ----------
    password : what somebody wants to use.
    context : words that must not make it up: sign-in name, tenant, own name.

    Raises
    ------
    InvalidInput : `password_short`, `password_long`, `password_common` or
        `password_context`, with the field `password`.
    """
    folded = password.casefold()
    if len(password) < MIN_CHARS:
        raise _refusal("password_short", f"a password has at least {MIN_CHARS} characters")
    if len(password) > MAX_CHARS:
        raise _refusal("password_long", f"a password has at most {MAX_CHARS} characters")
    if folded in _COMMON or len(set(folded)) < 4:
        raise _refusal("password_common", "this password is among the first anybody tries")
    rest = folded
    for word in (*context, "outpost"):
        if len(word) >= 3:
            rest = rest.replace(word.casefold(), "")
    if len(rest) < min(6, len(folded)):
        raise _refusal("password_context", "this password is made of known words")


def hash_password(password: str) -> str:
    """Return the argon2id hash (m = 19 MiB, t = 2, p = 1); about 30 ms.

    Raises
    ------
    Unavailable : no hashing slot became free within 8 s.
    """
    with _slot():
        return _hasher.hash(password)


def verify_password(password_hash: str | None, password: str) -> bool:
    """Tell whether a password fits; does the same work when there is no hash to compare.

    Raises
    ------
    Unavailable : no hashing slot became free within 8 s.
    """
    known = password_hash if password_hash is not None else _nobodys_hash()
    with _slot():
        fits = _fits(known, password)
    return fits and password_hash is not None


def needs_rehash(password_hash: str) -> bool:
    """Tell whether a hash was made with other parameters than today's."""
    return _hasher.check_needs_rehash(password_hash)


@contextmanager
def _slot() -> Iterator[None]:
    if not _slots.acquire(timeout=_WAIT_S):
        raise Unavailable("sign_in_busy", "too many sign-ins at once, try again")
    try:
        yield
    finally:
        _slots.release()


def _fits(known: str, password: str) -> bool:
    try:
        return _hasher.verify(known, password)
    except (VerificationError, InvalidHashError):
        return False


@lru_cache(maxsize=1)
def _nobodys_hash() -> str:
    return _hasher.hash("nobody has this password")


def _refusal(code: str, detail: str) -> InvalidInput:
    return InvalidInput(code, detail, fields={"password": code})
