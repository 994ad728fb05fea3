"""The published document matches the routes."""

import re

import msgspec
from flask import Flask

from server.http.markers import policy
from server.http.openapi import api_rules, build, describe, described
from server.main.app import create_app
from server.people.rules import Action
from server.settings import Settings
from tests.factories.world import World
from tests.server.conftest import dispose
from tests.server.http.conftest import BASE


class Place(msgspec.Struct):
    """Somewhere."""

    lon: float
    lat: float


class Trip(msgspec.Struct):
    """From somewhere to somewhere."""

    places: list[Place]


def test_every_route_of_the_api_is_described(app: Flask) -> None:
    bare = [
        rule.rule
        for rule in api_rules(app)
        if not described(app.view_functions[rule.endpoint]).summary
    ]
    assert bare == []


def test_the_document_is_published_and_names_every_route(app: Flask) -> None:
    answer = app.test_client().get("/api/openapi.json", base_url=BASE)
    assert answer.status_code == 200
    document = answer.json
    assert document is not None
    assert document["openapi"] == "3.1.0"
    expected = {re.sub(r"<(?:[^:>]+:)?(\w+)>", r"{\1}", rule.rule) for rule in api_rules(app)}
    assert set(document["paths"]) == expected
    ids = [op["operationId"] for path in document["paths"].values() for op in path.values()]
    assert len(ids) == len(set(ids))


def test_references_lead_somewhere(app: Flask) -> None:
    document = build(app)
    names = set(document["components"]["schemas"])
    used = set(re.findall(r"#/components/schemas/(\w+)", str(document)))
    assert used <= names


def test_a_route_is_shown_with_parameters_body_answer_and_right(
    settings: Settings, world: World
) -> None:
    made = create_app(settings, clock=world.clock)

    @made.post("/api/trips/<uuid:person_id>")
    @policy(Action.VIEW_TRACK)
    @describe(
        "Make a trip",
        query={"on!": {"type": "string", "format": "date"}, "limit": int},
        body=Trip,
        answer=Trip,
        status=201,
        errors=(409,),
    )
    def trips(person_id: str) -> str:
        return person_id

    document = build(made)
    shown = document["paths"]["/api/trips/{person_id}"]["post"]
    by_name = {p["name"]: p for p in shown["parameters"]}
    assert by_name["person_id"]["schema"] == {"type": "string", "format": "uuid"}
    assert (by_name["on"]["required"], by_name["limit"]["required"]) == (True, False)
    assert shown["x-action"] == "view_track"
    assert shown["security"] == [{"session": []}]
    assert set(shown["responses"]) == {"201", "401", "403", "404", "409", "503"}
    schema = shown["requestBody"]["content"]["application/json"]["schema"]
    assert schema == {"$ref": "#/components/schemas/Trip"}
    assert "Place" in document["components"]["schemas"]
    dispose(made)
