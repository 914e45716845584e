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


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder with the motion capture that stays outside the repository."""
    data = SHARED / "data"
    if not data.is_dir():
        pytest.skip(f"{data} is not there; ERD_DATA may name the folder that holds data/")
    return data


@pytest.fixture(scope="session")
def model_files(tmp_path_factory) -> dict[str, Path]:
    """The same untrained model as a file for each backend, by suffix; exported once for all."""
    from untrained import write_models

    return write_models(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="session")
def model_with_cues(tmp_path_factory) -> Path:
    """An untrained model, as ONNX, whose size and root come from cues."""
    pytest.importorskip("torch", reason="torch makes the model with cues")
    from untrained import write_models

    return write_models(tmp_path_factory.mktemp("cues"), root="cues")[".onnx"]
