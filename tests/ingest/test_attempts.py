"""Who was in hand when the process died."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ingest.attempts import Attempts
from ingest.intake import Message

A, B, C = (Message(b"owntracks/phone-000001/p", text, 0.0) for text in (b"a", b"b", b"c"))


@dataclass(slots=True)
class Lives:
    """Processes one after the other with one file; none of them ends in order."""

    path: Path
    opened: list[Attempts] = field(default_factory=list)

    def start(self) -> Attempts:
        self.opened.append(Attempts(self.path))
        return self.opened[-1]

    def die(self, *hands: list[Message]) -> Attempts:
        """Take messages in hand, pass all but the last, die; return what the next one knows."""
        attempts = self.start()
        for no, messages in enumerate(hands):
            attempts.begin(messages)
            if no + 1 < len(hands):
                attempts.passed(messages)
        return self.start()


@pytest.fixture
def lives(tmp_path: Path) -> Iterator[Lives]:
    made = Lives(tmp_path / "attempts")
    yield made
    for attempts in made.opened:
        attempts.close()


def test_only_what_was_in_hand_is_suspected(lives: Lives) -> None:
    attempts = lives.die([A], [B, C])
    assert [attempts.crashes(message) for message in (A, B, C)] == [0, 1, 1]
    assert attempts.has_suspects


def test_a_suspect_alone_at_the_next_death_is_found_out_and_others_wait(lives: Lives) -> None:
    lives.die([A, B, C])
    attempts = lives.die([A], [B])
    assert [attempts.crashes(message) for message in (A, B, C)] == [0, 2, 1]


def test_a_batch_between_suspects_is_suspected_beside_them(lives: Lives) -> None:
    lives.die([A])
    attempts = lives.die([B, C])
    assert [attempts.crashes(message) for message in (A, B, C)] == [1, 1, 1]


def test_nobody_is_suspected_once_all_have_passed(lives: Lives) -> None:
    lives.die([A, B])
    attempts = lives.die([A], [B], [C], [])
    assert not attempts.has_suspects
    assert attempts.crashes(C) == 0


def test_a_suspect_that_comes_twice_is_looked_at_as_any_other_then(lives: Lives) -> None:
    lives.die([A, B])
    attempts = lives.die([A], [A])
    assert [attempts.crashes(message) for message in (A, B)] == [1, 1]


def test_an_orderly_end_forgives(lives: Lives) -> None:
    lives.die([A])
    Attempts(lives.path).close()
    assert not lives.start().has_suspects


@pytest.mark.parametrize("content", [b"", b"\0\0", b"\0\0\0\x09short", b"\xff" * 40])
def test_a_file_cut_off_is_read_as_far_as_it_goes(lives: Lives, content: bytes) -> None:
    lives.path.write_bytes(content)
    assert lives.die([A]).crashes(A) == 1
