"""Organisation: tree, employees, accounts and their roles."""

from datetime import timedelta

from sqlalchemy import text

from tests.factories.desk import Desk


def test_the_tree_and_its_people(office: Desk) -> None:
    browser = office.browser("admin")
    page = browser.text("/organisation")
    assert "north ALPHA-NORTH-CANARY" in page
    assert "employee ALPHA" in page
    team = browser.text(f"/organisation?unit={office.alpha.units['s1']}")
    assert "other_branch ALPHA" in team
    assert "employee ALPHA" not in team.split('class="table"')[1]
    assert "BETA" not in page
    assert office.browser("supervisor_north").get("/organisation").status_code == 403


def test_hiring_moving_and_units(office: Desk) -> None:
    browser = office.browser("hr")
    units = office.alpha.units
    form = {"number": "H1", "name": "=cmd()", "unit": str(units["n1"]), "from": "2026-11-01"}
    browser.post("/organisation/people", form)
    assert "The employee was added." in browser.text("/organisation")
    assert "'=cmd()" in browser.text("/organisation?format=csv")
    browser.post("/organisation/people", form)
    assert "this staff number already" in browser.text("/organisation")
    with office.transaction() as session:
        person = session.execute(text("SELECT id FROM employees WHERE number = 'H1'")).scalar_one()
    browser.post(
        "/organisation/move", {"p": str(person), "unit": str(units["s1"]), "from": "2026-11-18"}
    )
    assert "=cmd()" in browser.text(f"/organisation?unit={units['s1']}")
    browser.post(
        "/organisation/units", {"parent": str(units["n1"]), "kind": "branch", "name": "odd"}
    )
    assert "cannot be below that one" in browser.text("/organisation")
    browser.post(
        "/organisation/units", {"parent": str(units["south"]), "kind": "team", "name": "s9"}
    )
    assert "s9" in browser.text("/organisation")


def test_what_lies_outside_of_the_scope_is_not_there(office: Desk) -> None:
    browser = office.browser("hr")
    foreign = str(office.world.beta.units["n1"])
    form = {"number": "H9", "name": "x", "unit": foreign, "from": "2026-11-01"}
    assert browser.post("/organisation/people", form).status_code == 404
    move = {"p": str(office.world.beta.people["peer"]), "unit": foreign, "from": "2026-11-18"}
    assert browser.post("/organisation/move", move).status_code == 404
    account = office.world.beta.logins["peer"].account_id
    admin = office.browser("admin")
    grant = {"role": "manager", "unit": str(office.alpha.units["n1"])}
    assert admin.post(f"/organisation/accounts/{account}/grants", grant).status_code == 404
    assert admin.post(f"/organisation/accounts/{account}/active").status_code == 404


def test_roles_are_given_and_taken_but_not_to_oneself(office: Desk) -> None:
    admin = office.browser("admin")
    account = office.alpha.logins["peer"].account_id
    grant = {"role": "manager", "unit": str(office.alpha.units["s1"]), "reason": "stands in"}
    assert "other_branch" not in office.browser("peer").text("/people")
    admin.post(f"/organisation/accounts/{account}/grants", grant)
    assert "other_branch" in office.browser("peer").text("/people")
    with office.transaction() as session:
        row = session.execute(
            text("SELECT id FROM grants WHERE account_id = :id"), {"id": account}
        ).scalar_one()
    taken = admin.post(f"/organisation/accounts/{account}/grants/{row}/revoke")
    assert taken.status_code == 303, taken.text
    office.clock.advance(timedelta(seconds=1))
    assert "other_branch" not in office.browser("peer").text("/people")
    own = office.alpha.logins["admin"].account_id
    admin.post(f"/organisation/accounts/{own}/grants", grant)
    assert "Nobody grants a role to themselves" in admin.text("/organisation/accounts")


def test_accounts_are_made_and_switched_off(office: Desk) -> None:
    admin, hr = office.browser("admin"), office.browser("hr")
    hr.post(
        "/organisation/people",
        {"number": "A1", "name": "new one", "unit": str(office.alpha.units["n2"])}
        | {"from": "2026-11-01"},
    )
    with office.transaction() as session:
        person = session.execute(text("SELECT id FROM employees WHERE number = 'A1'")).scalar_one()
    form = {"p": str(person), "login": "new.one", "password": "password"}
    admin.post("/organisation/accounts", form)
    assert "new.one" not in admin.text("/organisation/accounts").split("<tbody>")[1]
    admin.post("/organisation/accounts", form | {"password": "harbour lamp quiet stone"})
    assert "new.one" in admin.text("/organisation/accounts").split("<tbody>")[1]
    account = office.alpha.logins["finance"].account_id
    finance = office.browser("finance")
    assert finance.get("/me").status_code == 200
    admin.post(f"/organisation/accounts/{account}/active", {"active": "0"})
    assert finance.get("/me").status_code in {302, 303}
    admin.post(f"/organisation/accounts/{account}/active", {"active": "1"})
    assert office.browser("finance").get("/me").status_code == 200
    assert hr.get("/organisation/accounts").status_code == 403
