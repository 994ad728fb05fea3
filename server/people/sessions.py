"""Sign-in, sign-out and the way from a cookie to a principal.

The cookie is ``<tenant id>.<secret>``; only a hash of the secret is kept, so a copy of the
table opens nothing. Streams notice a change of rights or a sign-out by the account's epoch.
"""

import hashlib
import re
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import and_, delete, or_, select, update
from sqlalchemy.orm import Session as DbSession

from server.audit.services import record_security_event
from server.clock import Clock
from server.db.session import enter_tenant
from server.errors import Unauthenticated
from server.people import passwords
from server.people.models import (
    Account,
    Employee,
    EnrolmentTicket,
    Grant,
    Role,
    Session,
    Tenant,
)
from server.people.policy import local_date
from server.people.rules import Principal

IDLE = timedelta(minutes=30)
ABSOLUTE = timedelta(hours=12)
_TOUCH_EVERY = timedelta(minutes=1)
_SECRET_BYTES = 32
_TOKEN = re.compile(r"([1-9][0-9]{0,8})\.([A-Za-z0-9_-]{43})")
_SIGN_IN_NAME = re.compile(r"([a-z0-9][a-z0-9._-]{0,62})@([a-z0-9][a-z0-9-]{1,30})")


@dataclass(frozen=True, slots=True)
class SessionToken:
    """A session cookie taken apart."""

    tenant_id: int
    secret: str = field(repr=False)

    @property
    def secret_hash(self) -> bytes:
        """What the table holds instead of the secret."""
        return hashlib.sha256(self.secret.encode()).digest()

    def cookie(self) -> str:
        """Return the value of the cookie."""
        return f"{self.tenant_id}.{self.secret}"


@dataclass(frozen=True, slots=True)
class Credential:
    """An account found by its sign-in name, before the password was checked."""

    tenant_id: int
    account_id: UUID
    password_hash: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A fresh session."""

    principal: Principal
    cookie: str = field(repr=False)
    expires_at: datetime


def parse_cookie(value: str | None) -> SessionToken | None:
    """Return the parts of a session cookie, None when it is not one of ours."""
    match = _TOKEN.fullmatch(value or "")
    return SessionToken(int(match[1]), match[2]) if match else None


def split_sign_in_name(value: str) -> tuple[str, str] | None:
    """Return (login, tenant slug) of ``login@tenant``, None when it has another form."""
    match = _SIGN_IN_NAME.fullmatch(value.strip().lower())
    return (match[1], match[2]) if match else None


def find_credential(session: DbSession, sign_in_name: str) -> Credential | None:
    """Find the account behind a sign-in name and enter its tenant's wall.

    Parameters
    ----------
    session : a transaction of the app's role that has not entered a tenant.
    sign_in_name : ``login@tenant`` as typed.

    Returns
    -------
    None for an unknown tenant, an unknown login and an account that is switched off.
    """
    parts = split_sign_in_name(sign_in_name)
    if parts is None:
        return None
    login, slug = parts
    tenant_id = session.scalar(select(Tenant.id).where(Tenant.slug == slug))
    if tenant_id is None:
        return None
    enter_tenant(session, tenant_id=tenant_id)
    account = session.execute(
        select(Account.id, Account.password_hash).where(
            Account.tenant_id == tenant_id, Account.login == login, Account.active
        )
    ).one_or_none()
    return None if account is None else Credential(tenant_id, account.id, account.password_hash)


def open_session(
    session: DbSession,
    clock: Clock,
    credential: Credential,
    *,
    password: str | None = None,
    locale: str | None = None,
) -> SignedIn:
    """Open a session for an account whose password was just verified.

    One transaction: the session row, removal of the account's expired sessions, a new
    hash when the old one has old parameters (needs `password`), the security event. A
    language chosen before signing in (`locale`) stays with an account that chose none.

    Raises
    ------
    Unauthenticated : the account was switched off or its holder has left.
    """
    now = clock.now()
    token = SessionToken(credential.tenant_id, secrets.token_urlsafe(_SECRET_BYTES))
    if password is not None and passwords.needs_rehash(credential.password_hash):
        session.execute(
            update(Account)
            .where(Account.tenant_id == token.tenant_id, Account.id == credential.account_id)
            .values(password_hash=passwords.hash_password(password))
        )
    if locale is not None:
        session.execute(
            update(Account)
            .where(
                Account.tenant_id == token.tenant_id,
                Account.id == credential.account_id,
                Account.locale.is_(None),
            )
            .values(locale=locale)
        )
    session.execute(
        delete(Session).where(
            Session.tenant_id == token.tenant_id,
            Session.account_id == credential.account_id,
            or_(Session.expires_at <= now, Session.seen_at <= now - IDLE),
        )
    )
    session.add(
        Session(
            tenant_id=token.tenant_id,
            secret_hash=token.secret_hash,
            account_id=credential.account_id,
            created_at=now,
            seen_at=now,
            expires_at=now + ABSOLUTE,
        )
    )
    session.flush()
    principal = load_principal(session, clock, token)
    if principal is None:
        raise Unauthenticated
    record_security_event(
        session, tenant_id=token.tenant_id, actor_id=credential.account_id, kind="sign_in"
    )
    return SignedIn(principal, token.cookie(), now + ABSOLUTE)


def sign_in(session: DbSession, clock: Clock, *, sign_in_name: str, password: str) -> SignedIn:
    """Check a password and open a session, all in the caller's transaction.

    The web door does the same in two transactions, so that no connection waits for the
    hash; limits on attempts are the door's business.

    Raises
    ------
    Unauthenticated : unknown name or wrong password, one answer for both.
    Unavailable : too many sign-ins at once.
    """
    credential = find_credential(session, sign_in_name)
    fits = passwords.verify_password(credential.password_hash if credential else None, password)
    if credential is None or not fits:
        raise Unauthenticated
    return open_session(session, clock, credential, password=password)


def load_principal(
    session: DbSession, clock: Clock, token: SessionToken, *, touch: bool = True
) -> Principal | None:
    """Return who a session belongs to, with the grants in force now.

    Parameters
    ----------
    session : a transaction inside the wall of `token.tenant_id`.
    clock : decides idle time, absolute age and which grants are in force.
    token : from `parse_cookie`.
    touch : False leaves the idle time running; streams and other automatic requests.

    Returns
    -------
    None when the session is unknown, idle for 30 minutes, older than 12 hours, or its
    account is switched off or its holder has left. Cost: two statements.
    """
    now = clock.now()
    row = session.execute(
        select(Account, Session.seen_at, Tenant, Employee.left_on)
        .join(
            Session,
            and_(Session.tenant_id == Account.tenant_id, Session.account_id == Account.id),
        )
        .join(Tenant, Tenant.id == Account.tenant_id)
        .outerjoin(
            Employee,
            and_(Employee.tenant_id == Account.tenant_id, Employee.id == Account.employee_id),
        )
        .where(
            Session.tenant_id == token.tenant_id,
            Session.secret_hash == token.secret_hash,
            Session.expires_at > now,
            Session.seen_at > now - IDLE,
            Account.active,
        )
    ).one_or_none()
    if row is None:
        return None
    account, seen_at, tenant, left_on = row
    if left_on is not None and left_on <= local_date(now, tenant.zone):
        return None
    if touch and now - seen_at >= _TOUCH_EVERY:
        session.execute(
            update(Session)
            .where(Session.tenant_id == token.tenant_id, Session.secret_hash == token.secret_hash)
            .values(seen_at=now)
        )
    return Principal(
        tenant_id=tenant.id,
        tenant_slug=tenant.slug,
        account_id=account.id,
        employee_id=account.employee_id,
        name=account.name,
        login=account.login,
        locale=account.locale or tenant.locale,
        theme=account.theme,
        zone=tenant.zone,
        grants=_grants_in_force(session, account, now=now),
        epoch=account.epoch,
        locale_chosen=account.locale is not None,
    )


def sign_out(session: DbSession, clock: Clock, token: SessionToken) -> None:
    """End a session and raise the account's epoch, which closes its open streams."""
    del clock
    account_id = session.scalar(
        delete(Session)
        .where(Session.tenant_id == token.tenant_id, Session.secret_hash == token.secret_hash)
        .returning(Session.account_id)
    )
    if account_id is None:
        return
    raise_epoch(session, tenant_id=token.tenant_id, account_id=account_id)
    record_security_event(session, tenant_id=token.tenant_id, actor_id=account_id, kind="sign_out")


def end_sessions(session: DbSession, *, tenant_id: int, account_id: UUID) -> None:
    """End all sessions of an account and close its streams."""
    session.execute(
        delete(Session).where(Session.tenant_id == tenant_id, Session.account_id == account_id)
    )
    raise_epoch(session, tenant_id=tenant_id, account_id=account_id)


def raise_epoch(session: DbSession, *, tenant_id: int, account_id: UUID) -> None:
    """Mark that an account's rights changed, so that open streams close."""
    session.execute(
        update(Account)
        .where(Account.tenant_id == tenant_id, Account.id == account_id)
        .values(epoch=Account.epoch + 1)
    )


def forget_expired(session: DbSession, clock: Clock) -> int:
    """Delete ended sessions and tickets of all tenants; runs with the owner's rights.

    Returns
    -------
    How many rows went.
    """
    now = clock.now()
    ended = session.execute(
        delete(Session).where(or_(Session.expires_at <= now, Session.seen_at <= now - IDLE))
    )
    dead = session.execute(delete(EnrolmentTicket).where(EnrolmentTicket.expires_at <= now))
    return sum(getattr(result, "rowcount", 0) for result in (ended, dead))


def _grants_in_force(
    session: DbSession, account: Account, *, now: datetime
) -> tuple[tuple[Role, UUID], ...]:
    rows = session.execute(
        select(Grant.role, Grant.unit_id)
        .where(
            Grant.tenant_id == account.tenant_id,
            Grant.account_id == account.id,
            Grant.from_at <= now,
            or_(Grant.until_at.is_(None), Grant.until_at > now),
        )
        .order_by(Grant.role, Grant.unit_id)
        .distinct()
    )
    return tuple((row.role, row.unit_id) for row in rows)
