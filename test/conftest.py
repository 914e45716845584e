"""Fixtures that several test files share."""

import os
from pathlib import Path

import pytest

SHARED = Path(os.environ.get("ERD_DATA", Path(__file__).resolve().parents[2] / "shared"))


@pytest.fixture(scope="session")
def shared_media() -> Path:
    """Folder with the videos that stay outside the repository."""
    media = SHARED / "media"
    if not media.is_dir():
        pytest.skip(f"{media} is not there; ERD_DATA may name the folder that holds media/")
    return media
