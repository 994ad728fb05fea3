"""Roster: a week in one scope, assigning, cancelling, shifts."""

from datetime import date, timedelta

from sqlalchemy import text

from tests.factories.desk import DAY, Browser, Desk


def rows(office: Desk, name: str) -> list[date]:
    with office.transaction() as session:
        return list(
            session.execute(
                text(
                    "SELECT on_date FROM roster_entries"
                    " WHERE employee_id = :id AND cancelled_at IS NULL ORDER BY on_date"
                ),
                {"id": office.alpha.people[name]},
            ).scalars()
        )


def assign(office: Desk, browser: Browser, name: str, **changes: object) -> int:
    form: dict[str, object] = {
        "p": str(office.alpha.people[name]),
        "shift": str(office.shift_id),
        "post": str(office.posts["north"]),
        "from": "2026-11-23",
        "until": "2026-11-29",
        "weekday": ["0", "1", "2", "3", "4"],
        "w": "2026-11-23",
    }
    return browser.post("/roster/assign", form | changes).status_code


def test_a_span_with_weekdays_makes_one_entry_a_day(office: Desk) -> None:
    browser = office.browser("hr")
    assert assign(office, browser, "employee") == 303
    assert rows(office, "employee") == [date(2026, 11, 23) + timedelta(days=n) for n in range(5)]
    page = browser.text("/roster?w=2026-11-25")
    assert page.count("Cancel day of employee") == 5
    assert "5 shifts were assigned." in page


def test_an_overlap_changes_nothing_and_says_so(office: Desk) -> None:
    browser = office.browser("hr")
    assign(office, browser, "peer", until="", weekday=[])
    assign(office, browser, "peer", until="2026-11-24", weekday=[])
    assert rows(office, "peer") == [date(2026, 11, 23)]
    assert "has another shift at that time" in browser.text("/roster")


def test_nonsense_is_refused_in_words(office: Desk) -> None:
    browser = office.browser("hr")
    for changes in (
        {"p": ""},
        {"shift": "x"},
        {"from": ""},
        {"until": "2027-11-29"},
        {"until": "2026-11-01"},
    ):
        assign(office, browser, "other_team", **changes)
        assert "Choose a person, a shift and the days" in browser.text("/roster")
    assert rows(office, "other_team") == []


def test_nobody_rosters_people_or_posts_of_others(office: Desk) -> None:
    browser = office.browser("hr")
    foreign = str(office.world.beta.people["employee"])
    assert assign(office, browser, "employee", p=foreign) == 404
    nowhere = "00000000-0000-4000-8000-000000000000"
    assert assign(office, browser, "other_team", post=nowhere) == 404
    assert assign(office, office.browser("supervisor_north"), "other_team") == 403
    assert rows(office, "other_team") == []


def test_cancelling_takes_one_shift_off(office: Desk) -> None:
    entry = office.roster("other_branch", on_date=DAY, post="south")
    browser = office.browser("hr")
    form = {"p": str(office.alpha.people["other_branch"]), "on": str(DAY), "w": str(DAY)}
    wrong = form | {"p": str(office.alpha.people["peer"])}
    assert browser.post(f"/roster/{entry}/cancel", wrong).status_code == 404
    assert rows(office, "other_branch") == [DAY]
    assert browser.post(f"/roster/{entry}/cancel", form).status_code == 303
    assert rows(office, "other_branch") == []
    assert browser.post(f"/roster/{entry}/cancel", form).status_code == 404


def test_leaders_read_their_part_without_tools(office: Desk) -> None:
    page = office.browser("manager_n1").text("/roster?w=2026-11-23")
    assert "employee ALPHA" in page
    assert "other_team" not in page
    assert "Assign…" not in page
    assert "Cancel day" not in page
    csv = office.browser("manager_n1").text("/roster?w=2026-11-23&format=csv")
    assert "SOUTH" not in csv


def test_the_line_of_coverage_counts_the_people_that_are_listed(office: Desk) -> None:
    office.roster("other_branch", on_date=date(2026, 12, 9), post="south")
    office.roster("other_team", on_date=date(2026, 12, 9))
    browser = office.browser("hr")

    def wednesday(query: str) -> str:
        foot = browser.text(f"/roster?w=2026-12-07{query}").partition("<tfoot>")[2]
        return foot.split("<td")[3].partition(">")[2].partition("<")[0]

    assert wednesday("") == "2"
    assert wednesday("&q=other_team") == "1"
    assert wednesday(f"&unit={office.alpha.units['s1']}") == "1"
    assert "other_team" not in browser.text("/roster?w=2026-12-07&q=other_branch&format=csv")


def test_shifts_can_be_added_and_retired(office: Desk) -> None:
    browser = office.browser("hr")
    browser.post("/roster/shifts", {"name": "night", "starts": "22:00", "ends": "06:00"})
    assert "night · 22:00–06:00" in browser.text("/roster")
    browser.post("/roster/shifts", {"name": "night", "starts": "22:00", "ends": "06:00"})
    assert "There is a shift of that name already." in browser.text("/roster")
    browser.post("/roster/shifts", {"name": "odd", "starts": "noon", "ends": "06:00"})
    assert "Enter start and end" in browser.text("/roster")
    with office.transaction() as session:
        night = session.execute(text("SELECT id FROM shifts WHERE name = 'night'")).scalar_one()
    browser.post(f"/roster/shifts/{night}/retire")
    assert "night · 22:00" not in browser.text("/roster")
