"""What works beside the engine goes on after work that cannot be done."""

from collections.abc import Callable
from typing import Any

import pytest

from server.claims.auditor import Auditor
from server.tracking.replayer import Replayer
from server.tracking.signs_worker import SignsWorker
from server.visits.verifier import Verifier


@pytest.mark.parametrize("kind", [Auditor, Replayer, SignsWorker, Verifier])
def test_a_worker_outlives_what_it_cannot_do(
    kind: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    module = __import__(kind.__module__, fromlist=["_RETRY_S"])
    monkeypatch.setattr(module, "_RETRY_S", 0.0)
    tried = []

    def fail_once() -> int:
        tried.append(1)
        if len(tried) == 1:
            raise KeyError
        worker.stop()
        return 0

    worker = kind(None, None)
    monkeypatch.setattr(worker, "run_once", fail_once)
    monkeypatch.setattr(worker, "join", lambda _timeout: None)
    worker.run()
    assert len(tried) == 2
