"""Streams of one window of a map of very many people: narrow, and authorised person by person."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from fixtures.stack import DatabaseUrls, Stack
from server.tracking.live import LiveEvent, LiveType
from tests.web.test_live_stream import Desk, opened


@pytest.fixture(scope="module")
def desk(stack: Stack, module_database: DatabaseUrls) -> Iterator[Desk]:
    with opened(stack, module_database) as made:
        yield made


def _place(desk: Desk, name: str, number: int, lon: float, lat: float) -> None:
    person = desk.alpha.people[name]
    event = LiveEvent(
        tenant_id=desk.alpha.id,
        type=LiveType.POSITION,
        employee_id=person,
        data={"id": str(person), "n": number, "lon": lon, "lat": lat},
    )
    assert desk.publisher.publish([event])


def test_a_window_tells_of_whom_it_holds_and_of_who_leaves_it(desk: Desk) -> None:
    window = replace(desk, url=f"{desk.url}?view=10,10,11,11")
    with window.stream() as source:
        source.next("ping")
        _place(desk, "employee", 1, 20.0, 20.0)
        _place(desk, "peer", 2, 10.5, 10.5)
        _place(desk, "peer", 3, 20.0, 20.0)
        _place(desk, "peer", 4, 20.1, 20.1)
        desk.tell_state(desk.alpha.people["employee"], "on_post")
        _place(desk, "employee", 5, 10.1, 10.1)
        desk.tell_state(desk.alpha.people["employee"], "off_post")
        told = [source.next("pos").data["n"], source.next("pos").data["n"]]
        told.append(source.next("pos").data["n"])
        assert source.next("state").data["status"] == "off_post"
    assert told == [2, 3, 5]


def test_a_window_asks_the_rules_for_each_person(desk: Desk) -> None:
    window = replace(desk, url=f"{desk.url}?view=30,30,31,31")
    with window.stream("manager_n1") as source:
        source.next("ping")
        for number, name in enumerate(("other_team", "other_branch", "leaver", "employee")):
            _place(desk, name, number, 30.5, 30.5)
        told = source.next("pos")
    # Those of other units, and whoever is on no shift, came before and were not told of.
    assert told.data["n"] == 3


def test_without_a_window_only_alerts_are_told(desk: Desk) -> None:
    blind = replace(desk, url=f"{desk.url}?view=none")
    with blind.stream("manager_n1") as source:
        source.next("ping")
        _place(desk, "employee", 1, 30.5, 30.5)
        for name in ("other_team", "employee"):
            person = desk.alpha.people[name]
            event = LiveEvent(
                tenant_id=desk.alpha.id,
                type=LiveType.ALERT,
                employee_id=person,
                data={"employee_id": str(person)},
            )
            assert desk.publisher.publish([event])
        told = source.next("alert")
    assert told.data["employee_id"] == str(desk.alpha.people["employee"])


def test_a_window_that_is_none_is_refused(desk: Desk) -> None:
    with replace(desk, url=f"{desk.url}?view=1,2").stream() as source:
        assert source.status in {400, 422}


def test_a_quiet_window_resumes_after_what_it_did_not_tell(desk: Desk) -> None:
    window = replace(desk, url=f"{desk.url}?view=50,50,51,51")
    with window.stream() as source:
        source.next("ping")
        _place(desk, "employee", 1, 20.0, 20.0)
        _place(desk, "employee", 2, 50.5, 50.5)
        first = source.next("pos")
        assert first.data["n"] == 2
    with window.stream(last_event_id=first.id) as source:
        _place(desk, "employee", 3, 50.6, 50.6)
        assert source.next("pos").data["n"] == 3
