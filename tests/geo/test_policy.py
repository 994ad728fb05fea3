import json
from dataclasses import fields

import pytest

from geo.errors import PolicyError
from geo.policy import DEFAULT_VERSION, OffPostPolicy, Policy

UNITS = (
    "_m",
    "_s",
    "_mps",
    "_deg",
    "_pct",
    "_fixes",
    "_share",
    "_confidence",
    "_hour",
    "_people",
    "_mps2",
    "_odds",
)


def test_default_policy_survives_json() -> None:
    assert Policy.from_json(json.dumps(Policy().to_json())) == Policy()
    assert Policy.from_json("{}") == Policy()
    assert Policy().version == DEFAULT_VERSION


def test_a_document_names_only_what_it_changes() -> None:
    policy = Policy.from_json('{"off_post": {"min_outside_s": 300}}')
    assert policy.off_post == OffPostPolicy(min_outside_s=300.0)
    assert policy.version == "custom"
    assert policy.track == Policy().track
    assert Policy.from_json({"version": "acme-3"}).version == "acme-3"


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ("nonsense", "not_json"),
        ("[1]", "not_object"),
        ('{"presence": 3}', "not_object"),
        ('{"absence": {}}', "unknown_threshold"),
        ('{"presence": {"max_gap": 3}}', "unknown_threshold"),
        ('{"presence": {"max_gap_s": "3"}}', "bad_value"),
        ('{"presence": {"max_gap_s": true}}', "bad_value"),
        ('{"presence": {"max_gap_s": -1}}', "bad_value"),
        ('{"presence": {"max_gap_s": NaN}}', "bad_value"),
        ('{"presence": {"exit_fixes": 1.5}}', "bad_value"),
        ('{"version": 3}', "bad_value"),
    ],
)
def test_what_makes_no_sense_is_refused(document: str, code: str) -> None:
    with pytest.raises(PolicyError) as refusal:
        Policy.from_json(document)
    assert refusal.value.code == code
    assert "\n" not in refusal.value.detail


def test_every_threshold_names_its_unit() -> None:
    names = [
        f.name
        for group in fields(Policy)
        if group.name != "version"
        for f in fields(getattr(Policy(), group.name))
    ]
    without = [name for name in names if not name.endswith(UNITS) and "detour" not in name]
    assert without == []


def test_whole_numbers_stay_whole() -> None:
    assert isinstance(Policy.from_json({"presence": {"exit_fixes": 3.0}}).presence.exit_fixes, int)
    assert isinstance(Policy.from_json({"presence": {"max_gap_s": 60}}).presence.max_gap_s, float)
