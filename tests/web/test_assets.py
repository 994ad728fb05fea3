"""Browser files: complete, unchanged, licensed, and only those that were asked for."""

import hashlib
import json
from pathlib import Path

import pytest

from web.assets import (
    FILES,
    VENDOR,
    WEB,
    AssetError,
    copy_files,
    icon_names,
    load_manifest,
    missing_files,
)


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    """A folder like the one that npm fills."""
    for package, names in FILES.items():
        for name in names:
            path = tmp_path / package / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"content of {name}", encoding="utf-8")
        (tmp_path / package / "package.json").write_text(
            json.dumps({"name": package, "version": "1.0", "license": "MIT", "author": "Ann"}),
            encoding="utf-8",
        )
    icons = tmp_path / "lucide-static" / "icons"
    icons.mkdir(parents=True)
    for name in icon_names():
        (icons / f"{name}.svg").write_text("<svg/>", encoding="utf-8")
    (tmp_path / "lucide-static" / "package.json").write_text(
        json.dumps({"name": "lucide-static", "version": "1.0", "license": "ISC"}), encoding="utf-8"
    )
    (tmp_path / "lucide-static" / "LICENSE").write_text("Text of the licence", encoding="utf-8")
    return tmp_path


def test_listed_files_are_copied_with_a_licence_each(packages: Path, tmp_path: Path) -> None:
    target = tmp_path / "vendor"
    copied = copy_files(packages, target)
    assert sorted(copied) == sorted(
        path.relative_to(target).as_posix() for path in target.rglob("*") if path.is_file()
    )
    for package in (*FILES, "lucide-static"):
        text = (target / "licences" / f"{package}.txt").read_text(encoding="utf-8")
        assert package in text
    assert "Text of the licence" in (target / "licences" / "lucide-static.txt").read_text(
        encoding="utf-8"
    )


def test_a_missing_icon_is_named(packages: Path, tmp_path: Path) -> None:
    gone = icon_names()[0]
    (packages / "lucide-static" / "icons" / f"{gone}.svg").unlink()
    with pytest.raises(AssetError, match=gone):
        copy_files(packages, tmp_path / "vendor")


def test_icons_are_listed_once_and_in_order() -> None:
    names = icon_names()
    assert names == sorted(set(names))


def test_installed_files_are_those_of_the_manifest() -> None:
    assert missing_files() == []
    manifest = load_manifest()
    assert manifest
    for name, expected in manifest.items():
        assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == expected, name


def test_lock_has_a_hash_for_every_package_and_no_address() -> None:
    lock = json.loads((WEB / "package-lock.json").read_text(encoding="utf-8"))
    packages = {name: entry for name, entry in lock["packages"].items() if name}
    assert set(FILES) <= {name.removeprefix("node_modules/") for name in packages}
    for name, entry in packages.items():
        assert entry["integrity"].startswith("sha512-"), name
        assert "resolved" not in entry, name


def test_versions_are_exact() -> None:
    package = json.loads((WEB / "package.json").read_text(encoding="utf-8"))
    versions = {**package["dependencies"], **package["devDependencies"]}
    assert all(version.replace(".", "").isdigit() for version in versions.values())
