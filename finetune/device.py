"""Where recipes compute, and in which precision."""

import torch

from kani_npc.lm.load import usable_device

AUTO = "auto"  # a GPU where torch can use one


def device_of(name: str = AUTO) -> torch.device:
    """The device of that name. Raises `ModelError` for one that is not here."""
    if name == AUTO:
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return usable_device(name)


def multiplies_bfloat16(device: torch.device) -> bool:
    """Whether products in bfloat16 are worth it on a device.

    On x86 CPUs without AVX-512 torch multiplies such numbers one by one: a product of 1024 x 1024 took eighty times as
    long as in float32 (torch 2.13).
    """
    return device.type != "cpu" or bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def autocast(device: torch.device) -> torch.autocast:
    """Products in bfloat16 where the device multiplies them, else all in float32."""
    return torch.autocast(device.type, torch.bfloat16, enabled=multiplies_bfloat16(device))
