"""The loss the published models were trained with: every token predicts the next, prompt and text included.

Knows no optimiser and no data set.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from kani_npc.tokens import TokenLayout

IGNORED = -100


def training_labels(ids_BT: Tensor, layout: TokenLayout, speaker: bool) -> Tensor:
    """Labels [B, T], or [B, T + 1] with a speaker: the ids; nothing is learnt of pads and the speaker's slot."""
    labels = ids_BT.masked_fill(ids_BT == layout.pad, IGNORED)
    if not speaker:
        return labels
    slot = torch.full_like(labels[:, :1], IGNORED)
    return torch.cat((labels[:, :1], slot, labels[:, 1:]), dim=1)


def training_loss(logits_BTV: Tensor, labels_BT: Tensor, num_items: int | None = None) -> Tensor:
    """Cross-entropy in float32 of each label given the inputs before it.

    The mean over the labels that count; with `num_items` the sum divided by it (the published trainer's way with
    accumulated batches: the number of labels of all of them, first tokens included).
    """
    logits = logits_BTV[:, :-1].flatten(0, 1).float()
    labels = labels_BT[:, 1:].flatten()
    if num_items is None:
        return F.cross_entropy(logits, labels, ignore_index=IGNORED)
    return F.cross_entropy(logits, labels, ignore_index=IGNORED, reduction="sum") / num_items
