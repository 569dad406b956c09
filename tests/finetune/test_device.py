"""Where recipes compute: a device by name, and products in bfloat16 only where they are fast."""

import pytest
import torch

from finetune import device
from kani_npc.errors import ModelError


def test_auto_is_a_gpu_where_there_is_one():
    assert device.device_of().type == ("cuda" if torch.cuda.is_available() else "cpu")
    assert device.device_of("cpu") == torch.device("cpu")


@pytest.mark.parametrize("name", ["cuda:99", "a toaster"])
def test_a_device_that_is_not_here_is_named(name):
    with pytest.raises(ModelError, match=name):
        device.device_of(name)


@pytest.mark.parametrize("fast", [True, False])
def test_products_are_in_bfloat16_only_where_the_cpu_multiplies_them(monkeypatch, fast):
    monkeypatch.setattr(device, "multiplies_bfloat16", lambda _: fast)
    with device.autocast(torch.device("cpu")):
        product = torch.ones(2, 2) @ torch.ones(2, 2)
    assert product.dtype == (torch.bfloat16 if fast else torch.float32)
