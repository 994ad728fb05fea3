"""The marks every view bears: which action it performs, or why it is open to all.

A test walks the routes of both apps and refuses one without exactly one mark.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from server.people.rules import Action

V = TypeVar("V", bound=Callable[..., Any])
_ATTRIBUTE = "outpost_marker"


@dataclass(frozen=True, slots=True)
class Policy:
    """The view performs this action; the objects it touches come from the scoped loader."""

    action: Action
    max_body: int | None = None
    """Bytes of a request's body, where a file may be larger than what forms need."""


@dataclass(frozen=True, slots=True)
class Public:
    """The view is open without sign-in, for a written reason."""

    reason: str
    csrf: bool = True
    """False for clients that authenticate each request by themselves and hold no cookie."""
    session: bool = False
    """True when the view wants to know who is signed in, if anybody is."""


Marker = Policy | Public

PUBLIC_ENDPOINTS: dict[str, Public] = {
    "shell.static": Public("style sheets, scripts and icons, the same for everybody"),
}
"""Views that extensions or blueprints make and that cannot be marked in place."""


def policy(action: Action, *, max_body: int | None = None) -> Callable[[V], V]:
    """Mark a view with the one action it performs.

    An anonymous visitor is sent to sign in (401 for the API). A principal without any
    rule for the action gets 403. Which people and units it may touch is decided by
    `server.people.policy`, which the view must use to find them. `max_body` bytes of a
    request are read, only of those who have the right; left out, what all pages share.
    """
    return _mark(Policy(action, max_body))


def public(reason: str, *, csrf: bool = True, session: bool = False) -> Callable[[V], V]:
    """Mark a view as open to everybody, with the reason why that is right.

    Parameters
    ----------
    reason : a sentence for the reviewer.
    csrf : False only for clients that authenticate each request and hold no cookie.
    session : True to load who is signed in, if anybody is.
    """
    if len(reason.split()) < 3:
        message = "a public view needs a reason in words"
        raise ValueError(message)
    return _mark(Public(reason, csrf=csrf, session=session))


def marker_of(endpoint: str, view: Callable[..., Any]) -> Marker | None:
    """Return the mark of a view, None when it bears none."""
    found = getattr(view, _ATTRIBUTE, None) or PUBLIC_ENDPOINTS.get(endpoint)
    assert found is None or isinstance(found, Policy | Public)
    return found


def _mark(marker: Marker) -> Callable[[V], V]:
    def apply(view: V) -> V:
        if hasattr(view, _ATTRIBUTE):
            message = f"{view.__name__} bears two marks"
            raise ValueError(message)
        setattr(view, _ATTRIBUTE, marker)
        return view

    return apply
