"""Accounts, their passwords and their grants."""

import re
from datetime import timedelta
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from server.audit.services import record_security_event
from server.clock import Clock
from server.errors import Conflict, Forbidden, InvalidInput, NotFound
from server.people import passwords
from server.people.models import Account, Employee, Grant, Role, Tenant, Unit
from server.people.policy import scoped_unit
from server.people.rules import Action, Principal
from server.people.sessions import end_sessions, raise_epoch

_LOGIN = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")


def create_account(
    session: Session,
    clock: Clock,
    *,
    tenant_id: int,
    login: str,
    name: str,
    password: str,
    employee_id: UUID | None = None,
    locale: str | None = None,
    actor_id: UUID | None = None,
) -> Account:
    """Create an account without any grant.

    Parameters
    ----------
    session, clock : as everywhere.
    tenant_id : the tenant whose wall the transaction is in.
    login : the part before `@`, lower case.
    name : shown to people this account looks at.
    password : checked against `passwords.check_password`; only its argon2id hash is kept.
    employee_id : the account's own employee record, which it may then see itself.
    locale : `zh`, `en` or None for the tenant's.
    actor_id : who creates it, None for a command.

    Raises
    ------
    InvalidInput : malformed login or weak password.
    Conflict : the login is taken, or the employee has an account.
    NotFound : no such employee in this tenant.
    """
    del clock
    login = login.strip().lower()
    if not _LOGIN.fullmatch(login):
        detail = "a login is 1 to 63 of a-z, 0-9, dot, underscore and hyphen"
        raise InvalidInput("login", detail, fields={"login": "login"})
    _check_free(session, tenant_id=tenant_id, login=login, employee_id=employee_id)
    passwords.check_password(
        password, context=_context(session, tenant_id=tenant_id, login=login, name=name)
    )
    account = Account(
        tenant_id=tenant_id,
        login=login,
        name=name,
        password_hash=passwords.hash_password(password),
        employee_id=employee_id,
        locale=locale,
    )
    session.add(account)
    session.flush()
    record_security_event(
        session,
        tenant_id=tenant_id,
        actor_id=actor_id,
        kind="account_created",
        subject=str(account.id),
    )
    return account


def set_password(
    session: Session,
    clock: Clock,
    *,
    tenant_id: int,
    account_id: UUID,
    password: str,
    actor_id: UUID | None = None,
) -> None:
    """Replace a password; ends all of the account's sessions and streams.

    Raises
    ------
    NotFound : no such account in this tenant.
    InvalidInput : the password is weak.
    """
    del clock
    account = _account(session, tenant_id=tenant_id, account_id=account_id)
    context = _context(session, tenant_id=tenant_id, login=account.login, name=account.name)
    passwords.check_password(password, context=context)
    account.password_hash = passwords.hash_password(password)
    session.flush()
    end_sessions(session, tenant_id=tenant_id, account_id=account_id)
    record_security_event(
        session,
        tenant_id=tenant_id,
        actor_id=actor_id,
        kind="password_set",
        subject=str(account_id),
    )


def set_active(
    session: Session,
    clock: Clock,
    *,
    tenant_id: int,
    account_id: UUID,
    active: bool,
    actor_id: UUID | None = None,
) -> None:
    """Switch an account on or off; off ends its sessions and streams at once.

    Raises
    ------
    NotFound : no such account in this tenant.
    """
    del clock
    account = _account(session, tenant_id=tenant_id, account_id=account_id)
    account.active = active
    session.flush()
    if not active:
        end_sessions(session, tenant_id=tenant_id, account_id=account_id)
    record_security_event(
        session,
        tenant_id=tenant_id,
        actor_id=actor_id,
        kind="account_on" if active else "account_off",
        subject=str(account_id),
    )


def set_preferences(
    session: Session,
    clock: Clock,
    *,
    tenant_id: int,
    account_id: UUID,
    locale: str | None = None,
    theme: str | None = None,
) -> None:
    """Store the language (`zh`, `en`) and theme (`light`, `dark`, `auto`) that are given.

    Raises
    ------
    InvalidInput : another value.
    """
    del clock
    if locale not in {None, "zh", "en"} or theme not in {None, "light", "dark", "auto"}:
        raise InvalidInput("preference", "zh or en; light, dark or auto")
    account = _account(session, tenant_id=tenant_id, account_id=account_id)
    account.locale = locale or account.locale
    account.theme = theme or account.theme
    session.flush()


def grant_role(
    session: Session,
    clock: Clock,
    *,
    tenant_id: int,
    account_id: UUID,
    role: Role,
    unit_id: UUID,
    actor: Principal | None = None,
    reason: str | None = None,
) -> Grant:
    """Give an account a role on a unit and everything below it, from now on.

    Authorisation: a command (`actor` None) may grant anything; an account needs
    `manage_accounts` on the unit and cannot grant to itself, so nobody becomes a
    supervisor by their own hand. Raises the account's epoch.

    Raises
    ------
    NotFound : no such account or unit for the actor.
    Forbidden : `self_grant`.
    """
    now = clock.now()
    _account(session, tenant_id=tenant_id, account_id=account_id)
    if actor is None:
        known = select(Unit.id).where(Unit.tenant_id == tenant_id, Unit.id == unit_id)
        if session.scalar(known) is None:
            raise NotFound
    else:
        scoped_unit(session, actor, Action.MANAGE_ACCOUNTS, unit_id, now=now)
        if actor.account_id == account_id:
            raise Forbidden("self_grant", "nobody grants a role to themselves")
    grant = Grant(
        tenant_id=tenant_id,
        account_id=account_id,
        role=role,
        unit_id=unit_id,
        from_at=now,
        granted_by=actor.account_id if actor else None,
        reason=reason,
    )
    session.add(grant)
    session.flush()
    raise_epoch(session, tenant_id=tenant_id, account_id=account_id)
    record_security_event(
        session,
        tenant_id=tenant_id,
        actor_id=actor.account_id if actor else None,
        kind="role_granted",
        subject=str(account_id),
        detail={"role": role.value, "unit": str(unit_id)},
    )
    return grant


def revoke_grant(
    session: Session,
    clock: Clock,
    *,
    tenant_id: int,
    grant_id: UUID,
    actor: Principal | None = None,
) -> None:
    """End a grant now; raises the account's epoch, so that its streams close.

    Raises
    ------
    NotFound : no such grant in force for the actor.
    """
    now = clock.now()
    grant = session.scalar(
        select(Grant).where(
            Grant.tenant_id == tenant_id,
            Grant.id == grant_id,
            or_(Grant.until_at.is_(None), Grant.until_at > now),
        )
    )
    if grant is None:
        raise NotFound
    if actor is not None:
        scoped_unit(session, actor, Action.MANAGE_ACCOUNTS, grant.unit_id, now=now)
    # The record of a grant stays; one given and taken within one instant lasts a microsecond.
    grant.until_at = max(now, grant.from_at + timedelta(microseconds=1))
    session.flush()
    raise_epoch(session, tenant_id=tenant_id, account_id=grant.account_id)
    record_security_event(
        session,
        tenant_id=tenant_id,
        actor_id=actor.account_id if actor else None,
        kind="role_revoked",
        subject=str(grant.account_id),
        detail={"role": grant.role.value, "unit": str(grant.unit_id)},
    )


def _account(session: Session, *, tenant_id: int, account_id: UUID) -> Account:
    account = session.scalar(
        select(Account).where(Account.tenant_id == tenant_id, Account.id == account_id)
    )
    if account is None:
        raise NotFound
    return account


def _check_free(session: Session, *, tenant_id: int, login: str, employee_id: UUID | None) -> None:
    mine = Account.tenant_id == tenant_id
    if session.scalar(select(Account.id).where(mine, Account.login == login)) is not None:
        raise Conflict("login_taken", f"login {login} exists already")
    if employee_id is None:
        return
    person = select(Employee.id).where(Employee.tenant_id == tenant_id, Employee.id == employee_id)
    if session.scalar(person) is None:
        raise NotFound
    held = select(Account.id).where(mine, Account.employee_id == employee_id)
    if session.scalar(held) is not None:
        raise Conflict("account_exists", "this employee has an account already")


def _context(session: Session, *, tenant_id: int, login: str, name: str) -> tuple[str, ...]:
    tenant = session.execute(select(Tenant.slug, Tenant.name).where(Tenant.id == tenant_id)).one()
    return (login, name, tenant.slug, tenant.name)
