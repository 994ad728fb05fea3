import json
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest

from geo.errors import GeoError
from geo.fix import QualityFlag, Source
from geo.gaps import GapCause, Window
from geo.verdict import Evidence, canonical_json, format_utc


def evidence(**change: object) -> Evidence:
    fields: dict[str, object] = {
        "rule": "off_post",
        "policy_version": "default-1",
        "thresholds": {"b_s": 2.0, "a_m": 1.0},
        "inputs": {"fixes": ["k1", "k2"]},
        "figures": {"margin_m": 14.5},
        "reasons": ("returned",),
    }
    return Evidence(**(fields | change))  # type: ignore[arg-type]


def test_same_evidence_same_bytes_whatever_the_order_of_names() -> None:
    swapped = evidence(thresholds={"a_m": 1.0, "b_s": 2.0})
    assert evidence().to_bytes() == swapped.to_bytes()
    assert evidence().digest == swapped.digest
    assert evidence(figures={"margin_m": 14.6}).digest != evidence().digest


def test_what_would_change_a_verdict_is_part_of_its_bytes() -> None:
    assert json.loads(evidence().to_bytes())["would_change"] == []
    told = evidence(would_change=({"if": "km_at_most", "limit": 12.5, "actual": 20.0},))
    assert json.loads(told.to_bytes())["would_change"] == [
        {"actual": 20.0, "if": "km_at_most", "limit": 12.5}
    ]
    assert told.digest != evidence().digest


def test_values_take_their_json_form() -> None:
    at = datetime(2026, 11, 18, 9, tzinfo=timezone(timedelta(hours=8)))
    value = {
        "at": at,
        "cause": GapCause.SILENT,
        "source": Source.GPS,
        "flags": QualityFlag.LATE | QualityFlag.MOCK,
        "number": np.float64(1.5),
        "array": np.array([1, 2]),
        "window": Window(at, at + timedelta(hours=1)),
        "name": "岗位",
        "none": None,
        "yes": True,
    }
    assert json.loads(canonical_json(value)) == {
        "at": "2026-11-18T01:00:00Z",
        "cause": "silent",
        "source": "gps",
        "flags": ["late", "mock"],
        "number": 1.5,
        "array": [1, 2],
        "window": {"start": "2026-11-18T01:00:00Z", "end": "2026-11-18T02:00:00Z"},
        "name": "岗位",
        "none": None,
        "yes": True,
    }
    assert "岗位".encode() in canonical_json(value)
    assert b" " not in canonical_json({"a": [1, 2]})


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (float("nan"), "not_finite"),
        (np.float64("inf"), "not_finite"),
        (object(), "not_json"),
        ({1, 2}, "not_json"),
        (datetime(2026, 1, 1), "naive_time"),  # noqa: DTZ001  # the point of the test
    ],
)
def test_what_has_no_form_is_refused(value: object, code: str) -> None:
    with pytest.raises(GeoError) as refusal:
        canonical_json([value])
    assert refusal.value.code == code


def test_fractions_of_seconds_only_when_there_are_any() -> None:
    at = datetime(2026, 11, 18, 1, 2, 3, tzinfo=UTC)
    assert format_utc(at) == "2026-11-18T01:02:03Z"
    assert format_utc(at.replace(microsecond=120_000)) == "2026-11-18T01:02:03.12Z"
    assert format_utc(at.replace(second=0)) == "2026-11-18T01:02:00Z"
