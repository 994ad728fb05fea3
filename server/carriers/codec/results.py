"""MLP's result numbers: what they are called and what they mean for whom we ask about."""

from typing import Final

from server.carriers.rules import RefusalCode

OK: Final = 0
NOT_ALLOWED: Final = 202

_R = RefusalCode
RESULTS: Final[dict[int, tuple[str, RefusalCode]]] = {
    1: ("SYSTEM FAILURE", _R.PROVIDER_FAILURE),
    2: ("UNSPECIFIED ERROR", _R.PROVIDER_FAILURE),
    3: ("UNAUTHORIZED APPLICATION", _R.UNAUTHORISED),
    4: ("UNKNOWN SUBSCRIBER", _R.UNKNOWN_SUBSCRIBER),
    5: ("ABSENT SUBSCRIBER", _R.ABSENT),
    6: ("POSITION METHOD FAILURE", _R.NOT_POSITIONED),
    7: ("TIMEOUT", _R.NOT_POSITIONED),
    101: ("CONGESTION IN LOCATION SERVER", _R.CONGESTED),
    103: ("UNSUPPORTED VERSION", _R.NOT_UNDERSTOOD),
    104: ("TOO MANY POSITION ITEMS", _R.NOT_UNDERSTOOD),
    105: ("FORMAT ERROR", _R.NOT_UNDERSTOOD),
    106: ("SYNTAX ERROR", _R.NOT_UNDERSTOOD),
    107: ("PROTOCOL ELEMENT NOT SUPPORTED", _R.NOT_UNDERSTOOD),
    108: ("SERVICE NOT SUPPORTED", _R.NOT_UNDERSTOOD),
    109: ("PROTOCOL ELEMENT ATTRIBUTE NOT SUPPORTED", _R.NOT_UNDERSTOOD),
    110: ("INVALID PROTOCOL ELEMENT VALUE", _R.NOT_UNDERSTOOD),
    111: ("INVALID PROTOCOL ELEMENT ATTRIBUTE VALUE", _R.NOT_UNDERSTOOD),
    112: ("PROTOCOL ELEMENT VALUE NOT SUPPORTED", _R.NOT_UNDERSTOOD),
    113: ("PROTOCOL ELEMENT ATTRIBUTE VALUE NOT SUPPORTED", _R.NOT_UNDERSTOOD),
    114: ("CANCELLATION OF TRIGGERED LOCATION REQUEST", _R.PROVIDER_FAILURE),
    115: ("INVALID MSID IN TLRSR", _R.NOT_UNDERSTOOD),
    116: ("TLRSR FOR INDIVIDUAL TARGET NOT SUPPORTED", _R.NOT_UNDERSTOOD),
    201: ("QOP NOT ATTAINABLE", _R.ACCURACY),
    202: ("POSITIONING NOT ALLOWED", _R.CONSENT_WITHDRAWN),
    203: ("CONGESTION IN MOBILE NETWORK", _R.CONGESTED),
    204: ("DISALLOWED BY LOCAL REGULATIONS", _R.FORBIDDEN_BY_LAW),
    207: ("MISCONFIGURATION OF LOCATION SERVER", _R.PROVIDER_FAILURE),
    208: ("TARGET MOVED TO NEW MSC/SGSN", _R.NOT_POSITIONED),
}
"""Number to its name in the protocol and what it means here."""

_BY_NAME: Final = {name: number for number, (name, _) in RESULTS.items()}


def number_of(number: int, name: str) -> int:
    """Return the number meant; some servers, and an example of the protocol, give a wrong one.

    The name counts where the number is not one of the table.
    """
    if number in RESULTS or number == OK:
        return number
    return _BY_NAME.get(" ".join(name.upper().split()), number)


def meaning_of(number: int) -> RefusalCode:
    """Return what a number other than 0 means; 601 to 605 are the client's, 5xx the vendor's."""
    if number in RESULTS:
        return RESULTS[number][1]
    return RefusalCode.NOT_UNDERSTOOD if 601 <= number <= 605 else RefusalCode.PROVIDER_FAILURE
