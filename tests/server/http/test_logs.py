"""What the web processes add to their logs."""

import logging

from flask import Flask, Response

from server.http.logs import request_context
from server.logs import JsonFormatter
from tests.factories.browser import signed_in
from tests.factories.world import World
from tests.server.http.conftest import BASE


def test_an_entry_names_the_request_and_an_opaque_actor(app: Flask, world: World) -> None:
    seen: dict[str, object] = {}
    client = signed_in(app, world.alpha, world.alpha.logins["admin"])

    def note(response: Response) -> Response:
        seen.update(request_context())
        return response

    app.after_request_funcs[None].append(note)
    answer = client.get("/", base_url=BASE)
    app.after_request_funcs[None].remove(note)
    account_id = str(world.alpha.logins["admin"].account_id)
    assert seen == {"request_id": answer.headers["X-Request-Id"], "actor": account_id}


def test_outside_of_a_request_there_is_nothing_to_add() -> None:
    record = logging.LogRecord("any", logging.WARNING, __file__, 1, "hello", (), None)
    assert "request_id" not in JsonFormatter(request_context).format(record)
