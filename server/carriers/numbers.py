"""Phone numbers as people write them, to the digits that carriers want; pure."""

import re
import unicodedata

_MARKS = re.compile(r"[\s\-().\u00a0/]+")
_CHINESE_MOBILE = re.compile(r"1[3-9]\d{9}", re.ASCII)
_E164 = re.compile(r"[1-9]\d{6,14}", re.ASCII)


def normalised(phone: str, *, country_code: str = "86") -> str | None:
    """Return a number as E.164 without the plus; None when it is no mobile number.

    Spaces, hyphens, dots, brackets and full-width digits do not count. With `+` or `00` in
    front it is international; otherwise `country_code` goes before it, without one leading
    0. A Chinese number has to be a mobile's (1 and ten more digits): a landline has no
    place to be asked for. Extensions and anything else with letters are refused.

    Examples
    --------
    >>> normalised("138 0013-8000")
    '8613800138000'
    >>> normalised("+86 138 0013 8000"), normalised("0086 13800138000")
    ('8613800138000', '8613800138000')
    >>> normalised("040 123 4567", country_code="358")
    '358401234567'
    >>> normalised("010-65551234") is None
    True
    """
    digits = _MARKS.sub("", unicodedata.normalize("NFKC", phone).strip())
    if digits.startswith("+"):
        digits = digits[1:]
    elif digits.startswith("00"):
        digits = digits[2:]
    elif not (
        country_code == "86"
        and _CHINESE_MOBILE.fullmatch(digits[2:] or "")
        and digits.startswith("86")
    ):
        digits = country_code + digits.removeprefix("0")
    if not _E164.fullmatch(digits):
        return None
    if digits.startswith("86") and not _CHINESE_MOBILE.fullmatch(digits[2:]):
        return None
    return digits


def as_asked(msisdn: str, *, country_code: str, national: bool) -> str:
    """Return an E.164 number as a carrier wants it: whole, or without its own country code."""
    return msisdn.removeprefix(country_code) if national else msisdn


def same_phone(answered: str, msisdn: str) -> bool:
    """Tell whether a number in an answer is the one asked for, with or without country code."""
    digits = "".join(c for c in answered if c.isascii() and c.isdigit()).lstrip("0")
    return len(digits) >= 7 and (msisdn.endswith(digits) or digits.endswith(msisdn))
