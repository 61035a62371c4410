"""The project keeps its own rules: papers name what exists, locks hold no addresses, nothing of one machine is committed."""

import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEXT = {".py", ".ts", ".tsx", ".css", ".json", ".md", ".toml", ".sql", ".mjs", ".lock", ".html", ""}


def tracked():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in listed.stdout.decode().split("\0") if name and (ROOT / name).is_file()]


def test_architecture_names_every_room():
    text = (ROOT / "ARCHITECTURE.md").read_text()
    rooms = [p.parent for p in (ROOT / "dispatch").glob("*/__init__.py")]
    assert len(rooms) >= 8
    missing = [room.name for room in rooms if f"dispatch/{room.name}/" not in text]
    missing += [p.name for p in (ROOT / "dispatch").glob("*.py") if not p.name.startswith("__") and p.name not in text]
    assert missing == []


def test_every_command_the_readme_names_exists():
    text = (ROOT / "README.md").read_text()
    targets = set(re.findall(r"`?make ([a-z]+)", text)) - {"alone"}
    makefile = (ROOT / "Makefile").read_text()
    assert targets >= {"run", "test"}
    assert [t for t in targets if not re.search(rf"^{t}:", makefile, re.M)] == []
    for command in set(re.findall(r"`dispatch ([a-z]+)", text)):
        shown = subprocess.run(
            [sys.executable, "-m", "dispatch", command, "--help"], capture_output=True, text=True, cwd=ROOT, check=False
        )
        assert shown.returncode == 0, command
        assert "example" in shown.stdout, command


def test_nothing_of_one_machine_is_committed():
    paths = re.compile(r"(?<![\w.])/(work|root|farm)/")
    found = [
        str(path.relative_to(ROOT))
        for path in tracked()
        if path.suffix in TEXT and path != Path(__file__) and paths.search(path.read_text(errors="replace"))
    ]
    assert found == []


def test_lock_files_hold_hashes_and_no_addresses():
    lock = (ROOT / "requirements-dev.lock").read_text()
    assert "--hash=sha256:" in lock
    assert not re.search(r"https?://|file:/|--index|--find-links|--extra-index|@ ", lock)
    for path in tracked():
        if path.name == "package-lock.json":
            packages = json.loads(path.read_text())["packages"]
            assert all("resolved" not in p for p in packages.values()), path
            assert all("integrity" in p for name, p in packages.items() if name and not p.get("link")), path


def test_no_file_is_large_and_none_is_unfinished():
    large = [path.name for path in tracked() if path.stat().st_size > 300_000]
    assert large == []
    words = re.compile("TO" + "DO|FIX" + "ME|raise NotImpl" + "emented")
    unfinished = [
        path.name for path in tracked() if path.suffix in {".py", ".ts", ".tsx"} and words.search(path.read_text())
    ]
    assert unfinished == []


def test_decisions_are_numbered_without_gaps():
    numbers = sorted(int(p.name[:4]) for p in (ROOT / "docs" / "decisions").glob("*.md"))
    assert numbers == list(range(1, len(numbers) + 1))


def test_the_example_settings_are_the_defaults(tmp_path):
    from dispatch.settings import load_settings

    assert load_settings(str(ROOT / "city.example.toml"), {}) == load_settings(None, {})


def test_a_wheel_holds_the_dashboard_the_migrations_and_the_simulator(tmp_path):
    if not (ROOT / "dashboard" / "dist" / "index.html").exists():
        pytest.skip("the dashboard is not built")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", tmp_path, ROOT],
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    migrations = {f"dispatch/store/migrations/{p.name}" for p in (ROOT / "dispatch/store/migrations").glob("*.sql")}
    assert names >= {"dispatch/feeds/static/index.html", "dispatch/feeds/frame.json", "simulator/buses.py"} | migrations
    assert not [name for name in names if name.startswith(("tests/", "var/", "dashboard/"))]


def test_help_is_quick_and_an_unknown_command_is_refused():
    shown = subprocess.run(
        [sys.executable, "-m", "dispatch", "--help"], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert "replay" in shown.stdout
    refused = subprocess.run(
        [sys.executable, "-m", "dispatch", "nonsense"], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert refused.returncode == 2
