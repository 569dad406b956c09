"""How sure a figure is: lines are drawn again and again with replacement, and the figure is taken of each draw.

Systems that said the same lines are compared on the same draws, so that what is hard about a line is not taken for a
difference between them. Knows no figures.
"""

import numpy as np
from numpy.typing import NDArray

DRAWS = 2000


def drawn(num_lines: int, *, seed: int = 0) -> NDArray[np.int64]:
    """Numbers of lines, int [DRAWS, num_lines]: the same ones for the same number."""
    return np.random.default_rng(seed).integers(0, num_lines, (DRAWS, num_lines))


def interval(values_R: NDArray[np.float64]) -> list[float]:
    """What holds 95 % of the draws' figures."""
    return np.quantile(values_R, (0.025, 0.975)).tolist()
