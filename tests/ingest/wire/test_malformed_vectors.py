"""Each shared message is a position, and each way of spoiling it has a reason and nothing else."""

from collections import Counter
from datetime import UTC, datetime

import pytest

from ingest.wire import Rejection, WireFix
from ingest.wire.formats import BY_NAME, decode_safely
from ingest.wire.instants import Envelope
from tests.factories.vectors import FOLDER, Vector, malformed, vectors

AT = datetime(2026, 11, 18, 4, 0, tzinfo=UTC)
ENVELOPE = Envelope(AT.timestamp() + 5, "tracker-7", None, AT.timestamp() - 90 * 86_400)
FOUND = list(vectors(AT)) if FOLDER.is_dir() else []
pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(not FOUND, reason="no shared vectors beside this checkout"),
]


def test_every_format_is_among_them() -> None:
    assert {v.reader for v in FOUND} == set(BY_NAME)
    counts = Counter(v.kind for v in FOUND)
    assert min(counts.values()) >= 1
    assert sum(len(list(malformed(v))) for v in FOUND) > 1_500


@pytest.mark.parametrize("vector", FOUND, ids=[v.name for v in FOUND])
def test_as_it_is_it_is_one_position(vector: Vector) -> None:
    (found,) = decode_safely(BY_NAME[vector.reader], vector.encoded(), ENVELOPE)
    assert isinstance(found, WireFix), found
    assert found.fixed_s == pytest.approx(AT.timestamp(), abs=3)


@pytest.mark.parametrize("vector", FOUND, ids=[v.name for v in FOUND])
def test_however_it_is_spoilt_it_is_refused_with_a_reason(vector: Vector) -> None:
    wrong = []
    for case in malformed(vector):
        results = decode_safely(BY_NAME[vector.reader], case.payload, ENVELOPE)
        reasons = [r.reason.value if isinstance(r, Rejection) else type(r) for r in results]
        if len(reasons) != 1 or reasons[0] not in case.reasons:
            wrong.append((case.name, reasons, case.reasons))
    assert wrong == []
