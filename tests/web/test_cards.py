"""Evidence cards: any document is shown whole, and its print asks nobody for anything."""

from collections.abc import Iterator
from dataclasses import asdict, fields
from datetime import UTC, datetime
from socket import create_server
from typing import Any

import pytest

from geo.forgery_policy import ForgeryPolicy
from geo.policy import ClaimPolicy, OffPostPolicy, PresencePolicy, VisitPolicy
from tests.factories.desk import Desk
from tests.factories.pdf import pdf_text
from web.cards import printing, sentences, words
from web.cards.drawing import Dot, Label, Sketch, draw
from web.cards.printing import Sheet, card_pdf
from web.cards.quantities import quantity
from web.cards.reading import read_card

AT = datetime(2026, 11, 18, 4, tzinfo=UTC)
STRANGE: dict[str, Any] = {
    "rule": "tide",
    "algorithm_version": "9",
    "policy_version": "",
    "thresholds": {"moon": {"pull_share": 0.25}},
    "inputs": {
        "buoys": ["b1", "b2"],
        "harbour": {"bearing_deg": 1.5, "at": "2026-11-18T04:00:00Z"},
    },
    "figures": {"depth_m": 12.0, "gusts": [{"wind_mps": 3.0}, {"wind_mps": 4.5}]},
    "reasons": ["spring_tide"],
    "would_change": [{"if": "neap", "limit": 3}],
    "almanac": "1907",
}


@pytest.fixture
def english(office: Desk) -> Iterator[None]:
    with office.app.test_request_context(headers={"Accept-Language": "en"}):
        yield


@pytest.mark.usefixtures("english")
def test_codes_without_words_are_shown_as_they_are() -> None:
    card = read_card(STRANGE, zone="Asia/Shanghai", verdict="ebb")
    assert card.rule == "tide"
    assert card.sentence == "ebb spring_tide"
    assert card.reasons == ("spring_tide",)
    assert card.otherwise == ("neap: limit 3",)
    assert dict(card.figures) == {
        "depth_m": "12 m",
        "gusts 1 · wind_mps": "3 m/s",
        "gusts 2 · wind_mps": "4.5 m/s",
    }
    assert dict(card.thresholds) == {"pull_share": "25%"}
    assert card.inputs[0] == ("buoys", "2", ("b1", "b2"))
    assert card.inputs[1].value == "bearing_deg 1.5, at 2026-11-18 12:00:00"
    assert dict(card.rest) == {"almanac": "1907"}


@pytest.mark.usefixtures("english")
def test_the_digest_is_of_the_whole_document_and_not_of_its_order() -> None:
    digest = read_card(STRANGE, zone="UTC").digest
    assert read_card(dict(reversed(STRANGE.items())), zone="UTC").digest == digest
    assert read_card(STRANGE | {"almanac": "1908"}, zone="UTC").digest != digest


@pytest.mark.usefixtures("english")
def test_what_was_measured_stands_against_its_limit_with_the_margin() -> None:
    document = {
        "rule": "off_post",
        "thresholds": {"off_post": asdict(OffPostPolicy())},
        "figures": {"duration_s": 1_440.0, "confidence": 0.4, "max_distance_m": 430.0},
    }
    card = read_card(document, zone="UTC")
    assert card.compared[0] == ("Lasted", "24 min", "10 min", "+14 min")
    assert card.compared[1] == ("Confidence", "40%", "50%", "−10%")
    assert card.sentence == (
        "Outside the fence for 24 min, up to 430 m from its edge; 10 min are allowed."
    )


def test_every_threshold_of_a_verdict_has_words() -> None:
    policies = (PresencePolicy, OffPostPolicy, VisitPolicy, ClaimPolicy, ForgeryPolicy)
    assert {f.name for policy in policies for f in fields(policy)} <= set(words.THRESHOLDS)


@pytest.mark.usefixtures("english")
def test_what_would_have_changed_the_verdict_is_said_to_the_second() -> None:
    item = {"if": "shorter_than_s", "limit": 600.0, "actual": 628.0}
    said = sentences.otherwise(item, "UTC")
    assert said == "An absence shorter than 10 min; it was 10 min 28 s."
    assert quantity("buffer_share", 0.1) == "10%"
    assert quantity("margin_s", -90.0) == "−1 min"
    assert quantity("margin_m", -21_790.0) == "−21.8 km"


def _printed(document: dict[str, Any], sketch: Sketch | None = None) -> bytes:
    sheet = Sheet("", read_card(document, zone="UTC"))
    return card_pdf([sheet], title="T", subtitle="王芳", dated_at=AT, sketch=sketch)


@pytest.mark.usefixtures("english")
def test_printing_twice_gives_the_same_bytes_and_other_evidence_others() -> None:
    sketch = Sketch(
        rings=[[(24.94, 60.17), (24.95, 60.17), (24.95, 60.18), (24.94, 60.17)]],
        ways=[[(24.941, 60.171), (24.946, 60.176)]],
        dots=[Dot(24.941, 60.171, 8.0, proof=True), Dot(24.946, 60.176, None, proof=False)],
        labels=[Label(24.945, 60.175, "北门<店>")],
    )
    first = _printed(STRANGE, sketch)
    assert first.startswith(b"%PDF-")
    assert _printed(STRANGE, sketch) == first
    assert _printed(STRANGE | {"almanac": "1908"}, sketch) != first
    told = pdf_text(first)
    for part in ("王芳", "spring_tide", "北门<店>", read_card(STRANGE, zone="UTC").digest):
        assert part in told


@pytest.mark.usefixtures("english")
def test_nothing_is_fetched_for_a_print() -> None:
    with create_server(("127.0.0.1", 0)) as door:
        door.settimeout(0.2)
        address = f"http://127.0.0.1:{door.getsockname()[1]}/x"
        html = (
            f'<link rel="stylesheet" href="{address}"><img src="{address}">'
            f'<style>p {{ background: url("{address}") }}</style><p>still here</p>'
            f'<svg><image href="{address}"/></svg><img src="file:///etc/hostname">'
        )
        printed = printing._to_pdf(html)
        with pytest.raises(TimeoutError):
            door.accept()
    assert "still here" in pdf_text(printed)


@pytest.mark.usefixtures("english")
def test_a_sketch_keeps_its_proof_however_many_fixes_there_are() -> None:
    dots = [Dot(24.9 + k * 1e-6, 60.1, 5.0, proof=k in {7, 4_999}) for k in range(5_000)]
    drawn = draw(Sketch(dots=dots))
    assert drawn is not None
    assert drawn.count('class="proof"') == 2
    assert drawn.count('class="fix"') <= 1_500
    assert draw(Sketch()) is None
    assert draw(Sketch(dots=dots[:1])) is not None


def test_a_unit_is_a_word_of_its_own_in_a_name() -> None:
    assert quantity("mps", 3.5) == quantity("fastest_mps", 3.5) == "3.5 m/s"
    assert quantity("hardest_mps2", 9.0) == "9 m/s²"
    assert quantity("jumps", 2) == "2"
