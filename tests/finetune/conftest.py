"""Training changes its process; tests share theirs with all others."""

from collections.abc import Iterator

import pytest
import torch


@pytest.fixture(autouse=True)
def arithmetic_as_it_was() -> Iterator[None]:
    """The recipes flush denormals, for speed; drawn numbers of other tests may be denormal. Threads as before, too."""
    num_threads = torch.get_num_threads()
    yield
    torch.set_flush_denormal(False)
    torch.set_num_threads(num_threads)
