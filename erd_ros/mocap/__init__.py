"""Motion capture and camera calibrations, read once into metres (see docs/data.md)."""

from erd_ros.mocap.archive import read_clips, write_clips
from erd_ros.mocap.clip import Cameras, Clip
from erd_ros.mocap.frames import SHIPPABLE_SOURCES, SPLITS, Mocap, read_mocap
from erd_ros.mocap.studio import (
    TEST_CAMERAS,
    TRAINING_CAMERAS,
    CameraPoses,
    read_human36m_calibrations,
    read_human36m_cameras,
)

__all__ = [
    "SHIPPABLE_SOURCES",
    "SPLITS",
    "TEST_CAMERAS",
    "TRAINING_CAMERAS",
    "CameraPoses",
    "Cameras",
    "Clip",
    "Mocap",
    "read_clips",
    "read_human36m_calibrations",
    "read_human36m_cameras",
    "read_mocap",
    "write_clips",
]
