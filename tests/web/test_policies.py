"""Pages of rules and of trials, as leaders, HR and administrators see them."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from server.db.engine import make_engine, make_session_factory
from server.people.rules import Role
from server.people.services import grant_role
from server.posts.queries import PolicyKind, policy_versions
from server.posts.thresholds import thresholds_of
from server.tracking.replayer import Replayer
from tests.factories.desk import DAY, Browser, Desk
from tests.factories.footprints import absence, judge, tread
from web.policies.thresholds import FAMILIES, label

SOURCE = re.compile(r"(?s)<script.*?</script>")


@pytest.fixture(scope="module", autouse=True)
def _a_day_passed(office: Desk) -> None:
    """Two of north were away for 25 minutes yesterday, one of south was too."""
    for name, post in (("employee", "north"), ("peer", "north"), ("other_branch", "south")):
        office.roster(name, post=post)
        if post == "north":
            tread(office, name, absence())
            judge(office, name)
    office.clock.at += timedelta(days=1)


@pytest.fixture(autouse=True)
def _nothing_tried(office: Desk) -> Iterator[None]:
    yield
    owner = make_engine(office.urls.owner, pool_size=1)
    with owner.begin() as connection:
        connection.execute(text("DELETE FROM what_if_runs"))
        connection.execute(text("DELETE FROM policies"))
    owner.dispose()


def work_out(office: Desk) -> None:
    engine = make_engine(office.urls.engine, pool_size=1)
    Replayer(make_session_factory(engine), office.clock, rests=False).run_once()
    engine.dispose()


def tried(office: Desk, browser: Browser, **fields: Any) -> str:
    """Try something, let it be worked out, return the address of its page."""
    form = {name.replace("__", "."): str(value) for name, value in fields.items()}
    answer = browser.post("/what-if", form)
    assert answer.status_code == 303, answer.text
    work_out(office)
    return str(answer.headers["Location"])


def grant_admin(office: Desk, login: str) -> None:
    """Let an account set the rules too; as an administrator of the whole company."""
    with office.transaction() as session:
        grant_role(
            session,
            office.clock,
            tenant_id=office.alpha.id,
            account_id=office.alpha.logins[login].account_id,
            role=Role.ADMIN,
            unit_id=office.alpha.units["group"],
        )


@pytest.mark.parametrize("kind", list(PolicyKind))
def test_every_threshold_is_shown_in_words_of_both_languages(
    office: Desk, kind: PolicyKind
) -> None:
    admin = office.browser("admin")
    for locale, unwritten in (("en", '<th scope="row" id="label-{0}.{1}">{1}'), ("zh", "")):
        admin.post("/preferences", data={"locale": locale})
        page = admin.text(f"/policies/{kind.value}")
        for name in thresholds_of(kind):
            assert f'name="{kind.value}.{name}"' in page
            assert label(kind.value, name) != name, "a threshold without words"
            if unwritten:
                assert unwritten.format(kind.value, name) not in page
            else:
                written = re.search(rf'id="label-{kind.value}.{name}">([^<]+)', page)
                assert written is not None
                assert re.search("[\u4e00-\u9fff]", written[1]), written[1]
    admin.post("/preferences", data={"locale": "en"})
    assert set(FAMILIES) == {each.value for each in PolicyKind}


def test_leaders_see_the_rules_and_others_do_not(office: Desk) -> None:
    page = SOURCE.sub("", office.browser("manager_n1").text("/policies"))
    assert "What would it change?" in page
    assert "Save as new version" not in page
    assert "Save as new version" in office.browser("hr").text("/policies")
    assert "What would it change?" not in office.browser("hr").text("/policies")
    assert office.browser("finance").get("/policies").status_code == 403
    assert office.browser("hr").get("/policies/nothing").status_code == 404


def test_a_version_is_saved_with_its_reason_and_stands_in_the_history(office: Desk) -> None:
    hr = office.browser("hr")
    form = {"off_post.min_outside_s": "900", "note": "too many <alerts>", "based_on": "0"}
    assert hr.post("/policies/off_post", form).status_code == 303
    page = hr.text("/policies/off_post")
    assert "In force: version 1" in page
    assert "<del>10 min</del> → <ins>15 min</ins>" in page
    assert "too many &lt;alerts&gt;" in page
    with office.transaction() as session:
        (version,) = policy_versions(session, tenant_id=office.alpha.id)
        assert dict(version.params) == {"min_outside_s": 900}
    # Somebody else saw no version.
    stale = hr.post("/policies/off_post", {**form, "off_post.min_fixes": "4"})
    assert stale.status_code == 409
    assert "Somebody saved a newer version" in stale.text
    assert 'value="4"' in stale.text


def test_a_later_version_waits_and_says_so(office: Desk) -> None:
    hr = office.browser("hr")
    form = {"presence.max_gap_s": "1200", "from": "2026-12-01T00:00", "based_on": "0"}
    assert hr.post("/policies/presence", form).status_code == 303
    page = hr.text("/policies/presence")
    assert "to come" in page
    assert "In force: the defaults" in page
    assert "2026-12-01 00:00" in page


@pytest.mark.parametrize(
    ("form", "status", "sentence"),
    [
        ({"off_post.min_outside_s": "soon"}, 400, "Enter a number"),
        ({"off_post.min_outside_s": "-1"}, 400, "outside of what may be set"),
        ({"off_post.min_fixes": "2.5"}, 400, "outside of what may be set"),
        ({"off_post.min_outside_s": "600"}, 400, "Nothing differs"),
        ({"off_post.settle_s": "9", "from": "2026-01-01T00:00"}, 400, "cannot begin in the past"),
        ({"off_post.settle_s": "9", "from": "soon"}, 400, "Enter a date"),
        ({"off_post.settle_s": "9", "note": "x" * 501}, 400, "500 characters"),
    ],
)
def test_what_cannot_be_saved_says_why(
    office: Desk, form: dict[str, str], status: int, sentence: str
) -> None:
    answer = office.browser("hr").post("/policies/off_post", form)
    assert (answer.status_code, sentence in answer.text) == (status, True)
    with office.transaction() as session:
        assert policy_versions(session, tenant_id=office.alpha.id) == []


def test_rules_of_the_company_are_not_for_administrators_of_a_part(office: Desk) -> None:
    with office.transaction() as session:
        session.execute(
            text("UPDATE grants SET unit_id = :north WHERE role = 'hr'"),
            {"north": office.alpha.units["north"]},
        )
    try:
        hr = office.browser("hr")
        assert "Save as new version" not in hr.text("/policies")
        form = {"off_post.min_outside_s": "900"}
        assert hr.post("/policies/off_post", form).status_code == 403
    finally:
        with office.transaction() as session:
            session.execute(
                text("UPDATE grants SET unit_id = :top WHERE role = 'hr'"),
                {"top": office.alpha.units["group"]},
            )


def test_a_leader_tries_thresholds_and_reads_whose_verdicts_flip(office: Desk) -> None:
    lead = office.browser("supervisor_north")
    answer = lead.post("/what-if", {"off_post.min_outside_s": "3600"})
    address = str(answer.headers["Location"])
    page = lead.text(address)
    assert "Waiting for its turn" in page
    assert "0 / 2" in page
    api = lead.get(address.replace("/what-if/", "/api/what-if/")).get_json()
    assert api == {"state": "waiting", "days_done": 0, "days_total": 2}
    again = lead.post("/what-if", {"off_post.min_outside_s": "1800"})
    assert again.status_code == 409
    assert "You have a trial under way" in again.text
    work_out(office)
    page = lead.text(address)
    assert page.count(office.alpha.canary("north")) >= 2
    assert f"d={DAY.isoformat()}" in page
    assert "Gone" in page
    # A leader who sets no rules is told who does.
    assert "Save this policy" not in page
    assert "can save it" in page
    csv = lead.get(f"{address}?format=csv").get_data().decode("utf-8-sig").splitlines()
    assert len(csv) == 3
    assert csv[1].split(",")[4] == "disappeared"
    assert lead.get(f"{address}?format=csv&file=xlsx").data.startswith(b"PK")
    assert "No such verdicts" in lead.text(f"{address}?kind=longer")
    for sort in ("person", "-day", "before", "after", "-change"):
        assert lead.text(f"{address}?sort={sort}").count("Gone") >= 2
    with office.transaction() as session:
        looks = session.execute(
            text("SELECT DISTINCT view, reason FROM access_log WHERE purpose = 'policy_trial'")
        ).all()
    assert set(looks) == {
        (view, "Outside at least: 10 min → 1 h 0 min") for view in ("what_if", "what_if.csv")
    }


def test_others_cannot_open_a_result_and_rules_show_no_sums_of_few(office: Desk) -> None:
    address = tried(office, office.browser("supervisor_north"), off_post__min_outside_s=3600)
    assert office.browser("supervisor_group").get(address).status_code == 404
    admin = office.browser("admin")
    page = admin.text("/policies")
    assert "of too few people to tell" in page
    tried_page = admin.text(address.replace("/what-if/", "/policies/tried/"))
    assert "Fewer than five people" in tried_page
    assert "kpi__value" not in tried_page
    saved = admin.post(
        address.replace("/what-if/", "/policies/tried/") + "/save", {"note": "as tried"}
    )
    assert saved.headers["Location"] == "/policies/off_post"
    page = admin.text("/policies/off_post")
    assert "as tried · tried on" in page
    assert address.rsplit("/", 1)[1][:8] in page
    again = admin.post(
        address.replace("/what-if/", "/policies/tried/") + "/save", follow_redirects=True
    )
    assert "Somebody saved a newer version" in again.text


def test_who_leads_and_sets_the_rules_saves_in_one_step(office: Desk) -> None:
    grant_admin(office, "supervisor_group")
    boss = office.browser("supervisor_group")
    address = tried(office, boss, presence__max_gap_s=3600)
    page = boss.text(address)
    assert "Save this policy" in page
    action = re.search(r'action="(/policies/tried/[^"]+/save)"', page)
    assert action is not None
    assert boss.post(action[1]).headers["Location"] == "/policies/presence"
    assert "15 min</del> → <ins>1 h 0 min" in boss.text("/policies/presence")


def test_a_post_is_tried_and_its_fence_saved(office: Desk) -> None:
    lead, post_id = office.browser("manager_n1"), office.posts["north"]
    with office.transaction() as session:
        session.execute(
            text("UPDATE posts SET unit_id = :n1 WHERE id = :post"),
            {"n1": office.alpha.units["n1"], "post": post_id},
        )
    assert f"/what-if?post={post_id}" in lead.text(f"/posts/{post_id}")
    form = lead.text(f"/what-if?post={post_id}")
    assert re.search('<input[^>]*value="100"[^>]*name="radius_m"', form)
    for wrong, sentence in (
        ({"radius_m": "5"}, "A radius is 20 m to 50 km"),
        ({"radius_m": "wide"}, "Enter a number"),
        ({"grace_min": "9000"}, "1440 minutes"),
        ({"buffer_m": "-4"}, "10,000 m"),
        ({"radius_m": "100"}, "Nothing differs"),
    ):
        answer = lead.post("/what-if", {"post": str(post_id), **wrong})
        assert (answer.status_code, sentence in answer.text) == (400, True), wrong
    address = tried(office, lead, post=post_id, radius_m=2000, grace_min=20)
    page = lead.text(address)
    assert "100 m</del> → <ins>2.0 km" in page
    assert "by policy</del> → <ins>20 min" in page
    saved = lead.post(f"{address}/fence")
    assert saved.headers["Location"] == f"/posts/{post_id}"
    editor = lead.text(f"/posts/{post_id}")
    assert "Circle, 2.0 km" in editor
    assert "tried on" in editor
    again = lead.post(f"{address}/fence", follow_redirects=True)
    assert "Somebody saved a newer shape" in again.text


def test_a_foreign_post_or_unit_does_not_exist(office: Desk) -> None:
    lead = office.browser("supervisor_north")
    foreign = {"post": str(office.posts["south"]), "radius_m": "300"}
    assert lead.post("/what-if", foreign).status_code == 404
    elsewhere = {"off_post.settle_s": "9", "unit": str(office.alpha.units["s1"])}
    assert lead.post("/what-if", elsewhere).status_code == 404
    assert lead.post("/what-if", {"off_post.settle_s": "9", "unit": "x"}).status_code == 404
    assert office.alpha.canary("south") not in lead.text(f"/what-if?post={office.posts['south']}")


def test_a_trial_is_stopped(office: Desk) -> None:
    lead = office.browser("supervisor_north")
    address = str(lead.post("/what-if", {"off_post.settle_s": "60"}).headers["Location"])
    page = lead.post(f"{address}/cancel", follow_redirects=True).text
    assert "This trial was stopped" in page
    assert "has ended already" in lead.post(f"{address}/cancel", follow_redirects=True).text
    assert "Stopped" in lead.text("/what-if")
