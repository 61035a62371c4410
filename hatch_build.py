"""Ships the built dashboard in wheel and sdist, so that ``pip install`` needs no Node."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_SKIP = "DISPATCH_SKIP_DASHBOARD"  # set to 1 to build a wheel without the dashboard


class DashboardHook(BuildHookInterface):  # type: ignore[type-arg]
    """Builds the dashboard when it is not there, and puts it where the server looks."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling before each build; an editable install serves the clone's own dashboard."""
        if version == "editable" or os.environ.get(_SKIP) == "1":
            return
        folder = Path(self.root) / "dashboard"
        built = folder / "dist"
        if not (built / "index.html").exists():
            self._build(folder)
        if self.target_name == "wheel":
            build_data["force_include"][str(built)] = "dispatch/feeds/static"

    def _build(self, folder: Path) -> None:
        npm = shutil.which("npm")
        if npm is None:
            raise RuntimeError(f"the dashboard is not built and npm is not here: install Node 20, or set {_SKIP}=1")
        for command in (["ci", "--ignore-scripts"], ["run", "build"]):
            subprocess.run([npm, *command], cwd=folder, check=True)
