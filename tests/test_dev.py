"""The command of developers, as far as it can be tested without installing anything."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def _run(*arguments: str, path: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [shutil.which("bash") or "bash", str(ROOT / "dev"), *arguments],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "PATH": path if path is not None else os.environ["PATH"]},
        check=False,
    )


def test_help_names_every_command() -> None:
    shown = _run("help")
    assert shown.returncode == 0
    script = (ROOT / "dev").read_text(encoding="utf-8")
    commands = re.findall(
        r"^    ([a-z]+)(?: \|.*)?\)", script[script.index("case $command") :], re.MULTILINE
    )
    assert {"demo", "test", "bench", "help"} <= set(commands)
    for command in commands:
        assert f"./dev {command}" in shown.stdout, command


def test_no_command_shows_the_help() -> None:
    assert _run().stdout == _run("help").stdout


def test_an_unknown_command_fails_with_the_help() -> None:
    shown = _run("dance")
    assert shown.returncode == 1
    assert "Unknown command: dance" in shown.stderr


def test_continuous_integration_runs_the_same_command() -> None:
    text = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "./dev test" in text
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


@pytest.mark.parametrize("script", ["dev", ".ci/run", "server/deploy/make-secrets.sh"])
def test_scripts_parse(script: str) -> None:
    subprocess.run(["bash", "-n", str(ROOT / script)], check=True)
