"""Password hashes as mosquitto reads them from a password file.

The format is ``$7$<iterations>$<salt>$<hash>``: PBKDF2 with HMAC-SHA-512, base64 with
padding. Device secrets are random 192-bit strings, so the low iteration count that
mosquitto itself uses gives nothing away.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping

ITERATIONS = 101
SALT_BYTES = 12
_HASH_BYTES = 64


def hash_password(secret: str, salt: bytes, *, iterations: int = ITERATIONS) -> str:
    """Hash a secret for a mosquitto password file.

    Parameters
    ----------
    secret : the password in clear.
    salt : 12 random bytes (``secrets.token_bytes(12)``); passed in, so that tests repeat.
    iterations : PBKDF2 rounds.

    Returns
    -------
    ``$7$…`` text, the part after ``user:`` in the file.

    Raises
    ------
    ValueError : empty salt or fewer than one round.

    Examples
    --------
    >>> hash_password("secret", b"twelve bytes")[:8]
    '$7$101$d'
    """
    if not salt or iterations < 1:
        raise ValueError("a password hash needs a salt and at least one round")
    digest = hashlib.pbkdf2_hmac("sha512", secret.encode(), salt, iterations, _HASH_BYTES)
    return f"$7${iterations}${_b64(salt)}${_b64(digest)}"


def verify_password(secret: str, hashed: str) -> bool:
    """Compare a secret with a ``$7$`` hash in constant time.

    Parameters
    ----------
    secret : the password in clear.
    hashed : text made by `hash_password` or by ``mosquitto_passwd``.

    Returns
    -------
    True when they belong together; False also for a hash that cannot be read.
    """
    try:
        empty, kind, rounds, salt_text, digest_text = hashed.split("$")
        salt = base64.b64decode(salt_text, validate=True)
        expected = base64.b64decode(digest_text, validate=True)
        iterations = int(rounds)
    except (ValueError, binascii.Error):
        return False
    if empty or kind != "7" or iterations < 1 or not salt or not expected:
        return False
    actual = hashlib.pbkdf2_hmac("sha512", secret.encode(), salt, iterations, len(expected))
    return hmac.compare_digest(actual, expected)


def password_file(hashes: Mapping[str, str]) -> str:
    """Render a password file.

    Parameters
    ----------
    hashes : user name → ``$7$…`` hash.

    Returns
    -------
    One ``user:hash`` line per user, sorted, so that the same users give the same bytes.

    Raises
    ------
    ValueError : a user name that would break the file (empty, colon, white space).
    """
    for name in hashes:
        if not name or ":" in name or any(ch.isspace() for ch in name):
            raise ValueError(f"not a broker user name: {name!r}")
    return "".join(f"{name}:{hashes[name]}\n" for name in sorted(hashes))


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
