import pytest

from server.errors import InvalidInput
from server.posts.rules import PolicyKind
from server.posts.thresholds import changed, check_thresholds, complete, thresholds_of


@pytest.mark.parametrize("kind", list(PolicyKind))
def test_every_default_is_allowed_and_differs_from_nothing(kind: PolicyKind) -> None:
    known = thresholds_of(kind)
    assert known
    assert [t.name for t in known.values() if not t.allows(t.default)] == []
    assert changed(kind, complete(kind, {})) == {}
    check_thresholds(kind, complete(kind, {}))


@pytest.mark.parametrize(
    ("kind", "params", "code"),
    [
        (PolicyKind.OFF_POST, {"min_fixes": 0}, "out_of_range"),
        (PolicyKind.OFF_POST, {"min_confidence": 1.5}, "out_of_range"),
        (PolicyKind.OFF_POST, {"min_fixes": 2.5}, "bad_value"),
        (PolicyKind.PRESENCE, {"buffer_min_m": -1}, "bad_value"),
        (PolicyKind.TRAJECTORY, {"nothing": 1}, "unknown_threshold"),
        (PolicyKind.CLAIM, {"night_from_hour": 24}, "out_of_range"),
        (PolicyKind.DUTY, {"asks_per_hour": 0}, "out_of_range"),
        (PolicyKind.DUTY, {"grace_s": 20_000}, "bad_threshold"),
    ],
)
def test_values_that_nobody_should_be_judged_by(
    kind: PolicyKind, params: dict[str, float], code: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_thresholds(kind, params)
    assert refused.value.code == code
    if code == "out_of_range":
        assert refused.value.fields == dict.fromkeys(params, "out_of_range")


def test_units_are_those_of_the_names() -> None:
    units = {t.name: t.unit for t in thresholds_of(PolicyKind.PRESENCE).values()}
    assert (units["max_gap_s"], units["buffer_min_m"], units["buffer_share"]) == ("s", "m", "share")
    assert (units["spike_mps"], units["low_battery_pct"], units["exit_fixes"]) == ("m/s", "%", "")
