"""The few ways a use case can refuse, each with a stable code.

Expected outcomes (verdicts, rejections of a message) are values, not errors.
`server.http.problems` maps these classes to HTTP; the code is what pages translate.
"""

from collections.abc import Mapping


class OutpostError(Exception):
    """Base of every refusal; `code` is stable, `fields` name what was wrong."""

    code = "error"

    def __init__(
        self, code: str | None = None, detail: str = "", *, fields: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail or code or self.code)
        self.code = code or self.code
        self.detail = detail
        self.fields = dict(fields or {})


class InvalidInput(OutpostError):
    """The input breaks a rule the caller can mend."""

    code = "invalid_input"


class NotFound(OutpostError):
    """There is no such object, or the caller may not know of it: the same answer for both."""

    code = "not_found"


class Forbidden(OutpostError):
    """The caller may know of the object but not do this to it."""

    code = "forbidden"


class Unauthenticated(OutpostError):
    """No valid credential came with the request."""

    code = "unauthenticated"


class Conflict(OutpostError):
    """The object moved on since the caller looked."""

    code = "conflict"


class TooManyRequests(OutpostError):
    """A limit was reached; `retry_after_s` says how long to wait."""

    code = "too_many_requests"

    def __init__(self, detail: str = "", *, retry_after_s: int = 60) -> None:
        super().__init__(None, detail)
        self.retry_after_s = retry_after_s


class Unavailable(OutpostError):
    """A part the answer needs is down; nothing was stored."""

    code = "unavailable"


class ConfigurationError(OutpostError):
    """A setting is missing, unsafe or unreadable; start-up stops with this one line."""

    code = "configuration"
