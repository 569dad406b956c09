"""What all tests share: no deadlines for drawn examples, and one model folder of random weights."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.support.tiny_random import make_random_model

# How long an example takes says how busy the machine is; pytest's own timeout catches what hangs.
# In CI the draws are the same every time, so that a change fails by what it changes; elsewhere they go on searching.
settings.register_profile("house", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("house")


@pytest.fixture(scope="session", autouse=True)
def _own_data_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Servers that are told nothing else keep their voices here, and not in the data folder of who runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("data")))
        yield


@pytest.fixture(scope="session")
def random_model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder of `tiny`'s form that babbles for at most a second; the whole service runs on it."""
    return make_random_model(tmp_path_factory.mktemp("model"))
