"""The page in a real browser: buses move, a dead server is said to be dead, and it comes back without a reload."""

import json
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from tests.support.program import free_port, program

pytestmark = [pytest.mark.browser, pytest.mark.services]
ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = Path("/usr/bin/chromium")


class Page:
    """A page in headless Chromium, driven over a pipe."""

    def __init__(self):
        self.driver = subprocess.Popen(
            [shutil.which("node") or "node", Path(__file__).with_name("drive.mjs"), ROOT / "dashboard", CHROMIUM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def do(self, command, **more):
        self.driver.stdin.write(json.dumps({"command": command, **more}) + "\n")
        self.driver.stdin.flush()
        answer = json.loads(self.driver.stdout.readline())
        assert answer["ok"], answer["value"]
        return answer["value"]

    def until(self, condition, seconds=30.0):
        deadline = time.monotonic() + seconds
        while not condition(facts := self.do("facts") or {}):
            assert time.monotonic() < deadline, {k: v for k, v in facts.items() if k != "latenciesMs"}
            time.sleep(0.2)
        return facts

    def close(self):
        self.driver.stdin.close()
        self.driver.wait(30)
        self.driver.stdout.close()


@pytest.fixture
def page():
    if not CHROMIUM.exists() or not (ROOT / "dashboard" / "node_modules" / "playwright-core").is_dir():
        pytest.skip("Chromium or the dashboard's packages are not installed")
    shown = Page()
    yield shown
    shown.close()


def test_buses_move_a_dead_server_freezes_the_page_and_a_new_one_thaws_it_without_a_reload(page, server_dir):
    port = free_port()
    arguments = ("run", "--port", str(port), "--data", str(server_dir))
    with program(*arguments) as running:
        running.wait_for("dashboard: ")
        page.do("goto", url=f"http://127.0.0.1:{port}/")
        first = page.until(lambda f: f.get("state") == "live" and f["live"] >= 60)
        later = page.until(lambda f: f["checksum"] != first["checksum"])
        assert later["frames"] > first["frames"]
        assert page.do("count", selector=".route") >= 6
        assert "live" in page.do("text", selector="[data-testid=live-count]")
        latencies = sorted(later["latenciesMs"])
        assert latencies[len(latencies) // 2] < 1000
        page.do("click", selector=".route")
        assert page.do("count", selector=".strip") >= 1
        page.do("click", selector="header button:last-child")
        assert page.do("title") == "公交指挥中心"
        page.do("click", selector="header button:last-child")
        page.do("press", key="/")
        page.do("type", text="zz")
        page.do("press", key="Escape")
        assert page.do("errors") == []
    frozen = page.until(lambda f: f["state"] == "frozen", 40.0)
    assert "DATA FROZEN AT" in page.do("text", selector=".banner.frozen")
    with program(*arguments) as again:
        again.wait_for("dashboard: ")
        thawed = page.until(lambda f: f["state"] == "live" and f["epoch"] != frozen["epoch"] and f["live"] >= 60, 60.0)
        page.until(lambda f: f["checksum"] != thawed["checksum"])
        assert page.do("count", selector=".banner") == 0
        assert page.do("outside") == []
