"""Fetch the browser's third-party files: ``python -m web.assets``.

npm checks every package against the integrity hash in the committed lock file and runs no
script of any package. The listed files are then copied, unchanged, to ``static/vendor/``
with their licences, and a manifest of SHA-256 sums serves cache-busting and a start-up check.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

WEB = Path(__file__).resolve().parent
STATIC = WEB / "static"
VENDOR = STATIC / "vendor"
MANIFEST = VENDOR / "manifest.json"
_STAMP = VENDOR / ".stamp"
_NODE_LOCK = WEB.parent / "requirements" / "node.lock"

FILES: Mapping[str, tuple[str, ...]] = {
    "htmx.org": ("dist/htmx.min.js",),
    "maplibre-gl": (
        "dist/maplibre-gl.mjs",
        "dist/maplibre-gl-worker.mjs",
        "dist/maplibre-gl.css",
    ),
    "pmtiles": ("dist/pmtiles.js",),
    "terra-draw": ("dist/terra-draw.modern.js",),
    "terra-draw-maplibre-gl-adapter": ("dist/terra-draw-maplibre-gl-adapter.modern.js",),
    "uplot": ("dist/uPlot.esm.js", "dist/uPlot.min.css"),
    "world-atlas": (
        "land-110m.json",
        "land-50m.json",
        "land-10m.json",
    ),
}
"""npm package → files copied to ``static/vendor/<package>/<file name>``."""


class AssetError(Exception):
    """The browser files cannot be made; the message says what to do."""


def build_assets(*, progress: Callable[[str], None]) -> bool:
    """Install and copy every file, unless all of it is there already.

    Parameters
    ----------
    progress : called with one line per step.

    Returns
    -------
    True when files were made, False when nothing had to be done.

    Raises
    ------
    AssetError : no npm, no network, a package or icon that is missing.
    """
    stamp = _stamp()
    if _STAMP.exists() and _STAMP.read_text(encoding="ascii") == stamp and not missing_files():
        return False
    npm = _find_npm(progress)
    progress("browser files: npm ci")
    _npm_ci(npm)
    draft = VENDOR.with_name("vendor.new")
    shutil.rmtree(draft, ignore_errors=True)
    copied = copy_files(WEB / "node_modules", draft)
    manifest = {name: _sha256(draft / name) for name in sorted(copied)}
    (draft / MANIFEST.name).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    (draft / _STAMP.name).write_text(stamp, encoding="ascii")
    shutil.rmtree(VENDOR, ignore_errors=True)
    draft.rename(VENDOR)
    progress(f"browser files: {len(manifest)} files in {VENDOR.relative_to(WEB.parent)}")
    return True


def copy_files(node_modules: Path, target: Path) -> list[str]:
    """Copy the listed files, icons and licences.

    Parameters
    ----------
    node_modules : folder made by npm.
    target : folder to fill; created when missing.

    Returns
    -------
    Paths below `target`, POSIX style, in the order of copying.

    Raises
    ------
    AssetError : a listed file is not in its package.
    """
    wanted = [
        (node_modules / package / name, f"{package}/{Path(name).name}")
        for package, names in FILES.items()
        for name in names
    ]
    wanted += [
        (node_modules / "lucide-static" / "icons" / f"{icon}.svg", f"lucide/{icon}.svg")
        for icon in icon_names()
    ]
    copied = []
    for source, name in wanted:
        if not source.is_file():
            raise AssetError(f"{source} does not exist; check web/icons.txt and web/assets.py")
        _copy(source, target / name)
        copied.append(name)
    for package in (*FILES, "lucide-static"):
        name = f"licences/{package}.txt"
        _write_licence(node_modules / package, target / name)
        copied.append(name)
    return copied


def icon_names() -> list[str]:
    """Return the icon names listed in ``web/icons.txt``."""
    lines = (WEB / "icons.txt").read_text(encoding="utf-8").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def load_manifest() -> dict[str, str]:
    """Read the manifest.

    Returns
    -------
    Path below ``static/vendor/`` → SHA-256 in hex; empty when the files were never made.
    """
    try:
        manifest: dict[str, str] = json.loads(MANIFEST.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return manifest


def missing_files() -> list[str]:
    """Name the files that the pages need and that are not there.

    Returns
    -------
    Sorted paths below ``static/vendor/``; when not empty, run ``python -m web.assets``.
    """
    wanted = {f"{package}/{Path(name).name}" for package, names in FILES.items() for name in names}
    wanted |= {f"lucide/{icon}.svg" for icon in icon_names()}
    return sorted(name for name in wanted if not (VENDOR / name).is_file())


def _find_npm(progress: Callable[[str], None]) -> list[str]:
    for candidate in (shutil.which("npm"), Path(sys.executable).with_name("npm")):
        if candidate is not None and Path(candidate).exists() and _works([str(candidate)]):
            return [str(candidate)]
    progress("browser files: no Node.js in PATH, taking it from the Python package index")
    pip = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    lock = ["--no-deps", "--require-hashes", "-r", str(_NODE_LOCK)]
    done = subprocess.run([*pip, *lock], check=False, capture_output=True, text=True)
    npm = Path(sys.executable).with_name("npm")
    if done.returncode != 0 or not npm.exists():
        raise AssetError(
            "Node.js was neither found nor could it be fetched (no network?). "
            "Install it with: apt-get install -y nodejs npm"
        )
    return [str(npm)]


def _works(command: Iterable[str]) -> bool:
    try:
        probe = subprocess.run(
            [*command, "--version"], check=False, capture_output=True, cwd=WEB, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return probe.returncode == 0


def _npm_ci(npm: list[str]) -> None:
    # npm writes its cache below HOME; an account without one gets a place in the checkout.
    env = dict(os.environ)
    if not os.access(Path.home(), os.W_OK):
        env["npm_config_cache"] = str(WEB.parent / ".run" / "npm")
    command = [*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    done = subprocess.run(command, check=False, cwd=WEB, env=env, capture_output=True, text=True)
    if done.returncode != 0:
        tail = "\n    ".join(done.stderr.strip().splitlines()[-6:])
        raise AssetError(f"npm ci failed (no network?):\n    {tail}")


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def _write_licence(package: Path, target: Path) -> None:
    """Keep name, version, licence and authors of a package, and its licence text if it has one."""
    facts = json.loads((package / "package.json").read_text(encoding="utf-8"))
    author = facts.get("author") or facts.get("contributors") or "its contributors"
    lines = [
        f"{facts['name']} {facts['version']}",
        f"Licence: {facts.get('license', 'see below')}",
        f"Author: {author if isinstance(author, str) else json.dumps(author, ensure_ascii=False)}",
    ]
    texts = sorted(package.glob("LICEN[CS]E*"))
    lines += [text.read_text(encoding="utf-8") for text in texts]
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _stamp() -> str:
    digest = hashlib.sha256()
    for name in ("package-lock.json", "icons.txt", "assets.py"):
        digest.update((WEB / name).read_bytes())
    return digest.hexdigest()


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main() -> int:
    """Run the command; 0 when the files are there, 1 with a reason otherwise."""
    try:
        made = build_assets(progress=lambda line: print(f"  {line}", flush=True))
    except AssetError as error:
        print(error, file=sys.stderr)
        return 1
    if not made:
        print("  browser files: up to date")
    return 0


if __name__ == "__main__":
    sys.exit(main())
