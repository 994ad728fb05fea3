"""The use cases of people, gathered from the modules that hold them."""

from server.people.accounts import (
    create_account,
    grant_role,
    revoke_grant,
    set_active,
    set_password,
    set_preferences,
)
from server.people.devices import (
    EnrolledDevice,
    Ticket,
    enrol_device,
    issue_ticket,
    open_ticket,
    revoke_device,
    rotate_device,
    ticket_tenant,
)
from server.people.leaving import cut_off_leavers
from server.people.organisation import (
    add_unit,
    create_tenant,
    end_employment,
    hire_employee,
    move_employee,
    top_unit,
)
from server.people.sessions import (
    SessionToken,
    SignedIn,
    end_sessions,
    forget_expired,
    load_principal,
    parse_cookie,
    sign_in,
    sign_out,
)
from server.people.staffing import (
    Correction,
    Hire,
    correct_employees,
    hire_employees,
    move_employees,
)

__all__ = [
    "Correction",
    "EnrolledDevice",
    "Hire",
    "SessionToken",
    "SignedIn",
    "Ticket",
    "add_unit",
    "correct_employees",
    "create_account",
    "create_tenant",
    "cut_off_leavers",
    "end_employment",
    "end_sessions",
    "enrol_device",
    "forget_expired",
    "grant_role",
    "hire_employee",
    "hire_employees",
    "issue_ticket",
    "load_principal",
    "move_employee",
    "move_employees",
    "open_ticket",
    "parse_cookie",
    "revoke_device",
    "revoke_grant",
    "rotate_device",
    "set_active",
    "set_password",
    "set_preferences",
    "sign_in",
    "sign_out",
    "ticket_tenant",
    "top_unit",
]
