from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from server.findings.rules import ChangeKind, FindingState
from server.findings.versions import Difference, Said, differences, versions_of

TEN = datetime(2026, 11, 18, 2, 0, tzinfo=UTC)


def said(**changes: Any) -> Said:
    evidence = {
        "policy_version": "off_post:1",
        "figures": {"duration_s": 900.0, "coverage": 0.9},
        "inputs": {"fix_count": 12, "excusals": [], "post": {"version": 1}},
        "reasons": ["open"],
    }
    whole = Said(
        revision=1, state=FindingState.OPEN, starts_at=TEN, ends_at=None, evidence=evidence
    )
    return replace(whole, **changes)


def test_equal_versions_differ_in_nothing() -> None:
    assert differences(said(), said(revision=2)) == ()


def test_differences_name_span_figures_and_what_they_rest_on() -> None:
    evidence = {
        "policy_version": "off_post:1",
        "figures": {"duration_s": 960.0, "coverage": 0.9, "silent_s": 60.0},
        "inputs": {"fix_count": 14, "excusals": [], "post": {"version": 1}},
        "reasons": ["returned"],
    }
    end = TEN + timedelta(minutes=16)
    after = said(state=FindingState.CLOSED, ends_at=end, evidence=evidence)
    assert set(map(_plain, differences(said(), after))) == {
        ("state", "open", "closed"),
        ("ends_at", "None", str(end)),
        ("duration_s", "900.0", "960.0"),
        ("silent_s", "None", "60.0"),
        ("fix_count", "12", "14"),
        ("reasons", "['open']", "['returned']"),
    }


def _plain(one: Difference) -> tuple[str, str, str]:
    return one.name, str(one.before), str(one.after)


def test_each_version_tells_what_made_it_and_when() -> None:
    at = [TEN + timedelta(minutes=m) for m in (10, 16, 30)]
    first = said(change=ChangeKind.CLOSED, replaced_at=at[1])
    second = said(
        revision=2, state=FindingState.CLOSED, change=ChangeKind.RETRACTED, replaced_at=at[2]
    )
    third = said(revision=3, state=FindingState.RETRACTED)
    told = versions_of([first, second, third], raised_at=at[0])
    assert [(v.revision, v.change, v.at) for v in told] == [
        (1, ChangeKind.RAISED, at[0]),
        (2, ChangeKind.CLOSED, at[1]),
        (3, ChangeKind.RETRACTED, at[2]),
    ]
    assert [len(v.differences) for v in told] == [0, 1, 1]


def test_versions_from_before_they_were_kept_are_missing_and_said_to_be() -> None:
    [only] = versions_of([said(revision=4)], raised_at=TEN)
    assert (only.revision, only.change, only.at, only.differences) == (4, None, None, ())
