"""Sign-in by form, sign-out.

Attempts are counted per account (every one, before the costly hash), per network and in
total (failed ones). Who asks for an unknown account waits as long as for a known one.
"""

from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit

from flask import Blueprint, Response, make_response, redirect, render_template, request, session
from flask_babel import gettext as _
from werkzeug.wrappers import Response as AnyResponse

from server.audit.services import record_security_event
from server.errors import TooManyRequests, Unauthenticated, Unavailable
from server.http.context import (
    principal_or_none,
    runtime,
    transaction,
    transaction_without_tenant,
)
from server.http.cookies import (
    clear_session,
    known_browser,
    mark_browser,
    session_token,
    set_session,
)
from server.http.language import chosen_language
from server.http.limits import Bucket, bucket
from server.http.markers import public
from server.people.passwords import verify_password
from server.people.sessions import (
    Credential,
    SignedIn,
    find_credential,
    open_session,
)
from server.people.sessions import (
    sign_out as end_session,
)
from web.signin.forms import SignInForm

blueprint = Blueprint("session", __name__, template_folder="templates")

ACCOUNT_LIMIT = "10 per minute"
NETWORK_LIMIT = "60 per minute"
GLOBAL_LIMIT = "600 per minute"


@blueprint.get("/login")
@public("people sign in here, so nobody is signed in yet", session=True)
def sign_in_page() -> AnyResponse:
    """Show the form."""
    target = _local(request.args.get("next"))
    if principal_or_none() is not None:
        return redirect(target)
    return _page(SignInForm(next=target))


@blueprint.post("/login")
@public("people sign in here, so nobody is signed in yet")
def sign_in() -> AnyResponse:
    """Check the form and open a session."""
    form = SignInForm()
    if not form.validate():
        return _page(form, status=400)
    name = str(form.name.data).strip().lower()
    try:
        signed_in = _sign_in(name, str(form.password.data))
    except Unauthenticated:
        return _page(form, _("This name and password do not belong together."), status=401)
    except TooManyRequests as error:
        text = _("Too many attempts. Wait a minute, then try again.")
        return _page(form, text, status=429, retry_after_s=error.retry_after_s)
    except Unavailable:
        text = _("Nobody can sign in at this moment: a part of the system is down. Try again soon.")
        return _page(form, text, status=503, retry_after_s=10)
    # A form token from before the sign-in must not outlive it.
    session.clear()
    response = make_response(redirect(_local(form.next.data), 303))
    set_session(response, signed_in.cookie)
    mark_browser(response, name)
    return response


@blueprint.post("/logout")
@public("leaving must work even when the session has just ended", session=True)
def sign_out() -> AnyResponse:
    """End the session and let the browser forget what it kept."""
    token = session_token()
    if token is not None and principal_or_none() is not None:
        with transaction() as db:
            end_session(db, runtime().clock, token)
    session.clear()
    response = make_response(redirect("/login", 303))
    clear_session(response)
    response.headers["Clear-Site-Data"] = '"cache", "storage"'
    return response


def _sign_in(name: str, password: str) -> SignedIn:
    parts = runtime()
    account, failures = _account_bucket(name), _failure_buckets()
    # Strangers who fill the common limits must not lock out a browser that was here before;
    # it still has its account's limit.
    if known_browser(name) is None:
        parts.limiter.require(*failures)
    parts.limiter.count(account)
    with transaction_without_tenant() as db:
        credential = find_credential(db, name)
    # No connection is held while the hash is computed.
    if not verify_password(credential.password_hash if credential else None, password):
        _note_refusal(credential)
        parts.limiter.count(*failures)
        raise Unauthenticated
    assert credential is not None
    with transaction(tenant_id=credential.tenant_id) as db:
        signed_in = open_session(
            db, parts.clock, credential, password=password, locale=chosen_language()
        )
    parts.limiter.forget(account)
    return signed_in


def _note_refusal(credential: Credential | None) -> None:
    if credential is None:
        return
    with transaction(tenant_id=credential.tenant_id) as db:
        record_security_event(
            db,
            tenant_id=credential.tenant_id,
            kind="sign_in_refused",
            subject=str(credential.account_id),
        )


def _account_bucket(name: str) -> Bucket:
    known = known_browser(name)
    return bucket(ACCOUNT_LIMIT, "sign-in", "browser" if known else "account", known or name)


def _failure_buckets() -> tuple[Bucket, Bucket]:
    return (
        bucket(NETWORK_LIMIT, "sign-in-failed", "network", network_of(request.remote_addr)),
        bucket(GLOBAL_LIMIT, "sign-in-failed", "all"),
    )


def network_of(address: str | None) -> str:
    """Return the network an address is counted with: /24 of IPv4, /56 of IPv6."""
    try:
        ip = ip_address(address or "")
    except ValueError:
        return "unknown"
    return str(ip_network(f"{ip}/{24 if ip.version == 4 else 56}", strict=False))


def _local(target: str | None) -> str:
    """Return a path on this host, the start page for anything else."""
    if not target or not target.startswith("/") or target.startswith(("//", "/\\", "/login")):
        return "/"
    parts = urlsplit(target)
    clean = not parts.scheme and not parts.netloc and target.isprintable() and "\\" not in target
    return target if clean else "/"


def _page(
    form: SignInForm, failure: str | None = None, *, status: int = 200, retry_after_s: int = 0
) -> Response:
    page = make_response(render_template("signin/sign_in.html", form=form, failure=failure), status)
    if retry_after_s:
        page.headers["Retry-After"] = str(retry_after_s)
    return page
