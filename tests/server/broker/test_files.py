"""Files are replaced whole or not at all."""

import stat
from pathlib import Path

import pytest

from server.broker.files import replace_file


def test_content_and_mode_are_set(tmp_path: Path) -> None:
    path = tmp_path / "devices.pw"
    assert replace_file(path, "a\n")
    assert path.read_text(encoding="utf-8") == "a\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_unchanged_content_is_not_written_again(tmp_path: Path) -> None:
    path = tmp_path / "devices.pw"
    replace_file(path, "a\n")
    inode = path.stat().st_ino
    assert not replace_file(path, "a\n")
    assert path.stat().st_ino == inode


def test_a_failure_leaves_the_old_file_and_no_litter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "devices.pw"
    replace_file(path, "old\n")

    def broken(_descriptor: int) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("os.fsync", broken)
    with pytest.raises(OSError, match="disk full"):
        replace_file(path, "new\n")
    assert path.read_text(encoding="utf-8") == "old\n"
    assert [entry.name for entry in tmp_path.iterdir()] == ["devices.pw"]
