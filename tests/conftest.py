"""Fixtures every room's tests may use."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture
def server_dir() -> Iterator[Path]:
    """A short folder that servers running under another account can come to; pytest's own are closed to them."""
    folder = Path(tempfile.mkdtemp(prefix="bcc-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real recordings; tests that need it are skipped without it."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the shared recordings are not here (../shared/data)")
    return SHARED_DATA
