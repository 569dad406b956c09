"""The host's numbers on their way to the device. Knows neither models nor streams' owners."""

import torch
from torch import Tensor


def upload(host: Tensor, device: torch.device) -> Tensor:
    """`host` on the device, in the order of the current stream; nobody waits for it.

    On a GPU it goes through pinned memory, which torch keeps until the copy is done: from ordinary memory a copy waits
    for all that its stream has to do before.
    """
    if device.type != "cuda":
        return host.to(device)
    return host.pin_memory().to(device, non_blocking=True)
