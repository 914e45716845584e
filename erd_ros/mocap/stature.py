"""What a height in centimetres says of the size that models know (``erd_ros/cues.py``)."""

import math

from erd_ros.errors import InputError

# Size by height, and its standard deviation from person to person. 6,068 adults of ANSUR II have
# 0.9595 and 0.0032; modelled children of 3 to 12 years 0.962 and 0.002.
SIZE_OF_HEIGHT = 0.960
SIZE_OF_HEIGHT_STD = 0.0032


def size_of_height(height: float, height_std: float) -> tuple[float, float]:
    """Size and its standard deviation, of a height without shoes and its own, metres.

    Raises InputError for a height that is not above 0, or a deviation below 0.
    """
    if not (0 < height < math.inf and 0 <= height_std < math.inf):
        raise InputError(
            f"height is {height} m with a standard deviation of {height_std} m, expected above 0 "
            "and 0 or more"
        )
    spread = math.hypot(SIZE_OF_HEIGHT * height_std, SIZE_OF_HEIGHT_STD * height)
    return SIZE_OF_HEIGHT * height, spread
