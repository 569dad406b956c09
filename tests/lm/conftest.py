"""The published code's answers, loaded once."""

import pytest
from safetensors.torch import load_file

from kani_npc.lm import load_lm
from tests.lm.models import GOLDEN, VARIANTS, Golden


@pytest.fixture(scope="session", params=VARIANTS)
def golden(request: pytest.FixtureRequest) -> Golden:
    folder = GOLDEN / request.param
    return Golden(load_lm(folder / "checkpoint"), folder, load_file(folder / "golden.safetensors"))
