"""The language model as it is trained: batches in, losses out; the layers are those that serve.

Packed examples do not see each other. Attention has a mask, or is FlashAttention's own for packed rows. Convolutions
meet empty inputs between two examples: zero, and zero after every layer, since nothing in this model has a bias. So
their window is what it is at the start of a row.

Knows no optimiser, no data set, no processes.

B rows, T inputs, M inputs that are somebody's, H hidden, N query heads, G kv heads, D head width, K codebooks
"""

import importlib.util
from collections.abc import Callable
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from finetune.batches import EMPTY, Batch
from finetune.recipe import Loss
from kani_npc.lm.loss import IGNORED
from kani_npc.lm.model import KeysAndValues, Lfm2, ropes

AttentionKind = Literal["auto", "sdpa", "flash_attention_2"]
LABELS_AT_ONCE = 4096  # a full vocabulary's logits of more would be most of the memory


class Learner(nn.Module):
    """`forward` gives the summed loss of a batch, float32, to be divided by what the step's labels count."""

    def __init__(
        self,
        lm: Lfm2,
        loss: Loss,
        *,
        attention: AttentionKind = "sdpa",
        gradient_checkpointing: bool = False,
    ) -> None:
        super().__init__()
        self.lm = lm
        self.loss = loss
        self.attention: AttentionKind = attention
        self.gradient_checkpointing = gradient_checkpointing

    def forward(self, batch: Batch) -> Tensor:
        hidden_BTH = self.hidden(batch)
        is_asked = batch.labels_BT[:, 1:] != IGNORED
        hidden_MH = hidden_BTH[:, :-1][is_asked]
        labels_M = batch.labels_BT[:, 1:][is_asked]
        summed = self._legal if self.loss.choices == "legal" else self._among_all
        # Whoever has nothing to learn takes part all the same, or the others would wait for its gradients.
        total = hidden_BTH.float().sum() * 0.0
        for start in range(0, len(labels_M), LABELS_AT_ONCE):
            part = slice(start, start + LABELS_AT_ONCE)
            total = total + self._maybe_again(summed, hidden_MH[part], labels_M[part])
        return total

    def hidden(self, batch: Batch, embedded_BTH: Tensor | None = None) -> Tensor:
        """Hidden states [B, T, H] after the final norm; of these embeddings, where they are given."""
        lm = self.lm
        h = self.embed(batch) if embedded_BTH is None else embedded_BTH
        tables = ropes(batch.positions_BT, lm.inv_freq(), h.dtype)
        past = past_of(batch, self.attention)
        attention = 0
        for layer in lm.layers:
            h = self._maybe_again(layer, h, tables[attention % len(tables)], past)
            attention += layer.self_attn is not None
        return lm.embedding_norm(h)

    def embed(self, batch: Batch) -> Tensor:
        """What the first layer is given: [B, T, H]; speakers in their slots, nothing where nobody is."""
        lm = self.lm
        h = lm.embed_tokens(batch.ids_BT)
        h = h.masked_fill((batch.segments_BT == EMPTY)[:, :, None], 0.0)
        if len(batch.speakers_ND):
            speakers = lm.speaker_emb_projection(batch.speakers_ND.to(h.dtype)).to(h.dtype)
            return h.index_put((batch.speaker_rows_N, batch.speaker_columns_N), speakers)
        # The projection takes part as well, see `forward`.
        nobody = batch.speakers_ND.new_zeros((1, batch.speakers_ND.shape[1]), dtype=h.dtype)
        return h + 0.0 * lm.speaker_emb_projection(nobody).sum()

    def logits(self, hidden: Tensor) -> Tensor:
        return F.linear(hidden, self.lm.embed_tokens.weight)

    def _among_all(self, hidden_MH: Tensor, labels_M: Tensor) -> Tensor:
        return F.cross_entropy(self.logits(hidden_MH).float(), labels_M, reduction="sum")

    def _legal(self, hidden_MH: Tensor, labels_M: Tensor) -> Tensor:
        """As serving chooses: codebook k's codes, and end_of_speech where k = 0."""
        layout = self.lm.layout
        is_end = labels_M == layout.end_of_speech
        codebook_M = (labels_M - layout.audio_tokens_start).div(
            layout.codebook_size, rounding_mode="floor"
        )
        codebook_M = codebook_M.masked_fill(is_end, 0)
        total = hidden_MH.new_zeros((), dtype=torch.float32)
        for k in range(layout.num_codebooks):
            mine = codebook_M == k
            codes = labels_M[mine] - layout.codebook_start(k)
            codes = codes.masked_fill(is_end[mine], layout.codebook_size)
            logits = self.lm.codebook_logits(hidden_MH[mine], k).float()
            total = total + F.cross_entropy(logits, codes, reduction="sum")
        return total

    def _maybe_again(self, function: Callable[..., Tensor], *inputs: Any) -> Tensor:
        """The function's result; with gradient checkpointing it is computed again on the way back, and not kept."""
        if self.gradient_checkpointing and torch.is_grad_enabled():
            return checkpoint(function, *inputs, use_reentrant=False)
        return function(*inputs)


# --- who sees whom


def past_of(batch: Batch, attention: AttentionKind) -> KeysAndValues | None:
    """Where attention looks for a batch. None: the layers' own causal attention, which needs no mask, as filling stands
    on the right. Raises `ValueError` for FlashAttention where it is not installed or cannot run.
    """
    kernel = flash_kernel(attention, batch.ids_BT.device)
    if kernel is not None:
        return PackedFlash(batch.segments_BT, kernel)
    return Packed(batch.segments_BT) if batch.is_packed else None


def flash_kernel(attention: AttentionKind, device: torch.device) -> Callable[..., Tensor] | None:
    """FlashAttention 2's function for packed rows, where it is asked for or can be had. None: torch's own attention.

    torch picks a flash kernel of its own on CUDA, but not for a mask, which is what packed rows need.
    """
    if attention == "sdpa":
        return None
    usable = importlib.util.find_spec("flash_attn") is not None and device.type == "cuda"
    if usable:
        from flash_attn import flash_attn_varlen_func  # pyright: ignore[reportMissingImports]

        return flash_attn_varlen_func
    if attention == "flash_attention_2":
        raise ValueError(
            'attention = "flash_attention_2" wants the package flash-attn and a CUDA device; "auto" does without'
        )
    return None


class Packed:
    """Attention within each segment, as a mask; filling sees itself alone, which is nothing."""

    def __init__(self, segments_BT: Tensor) -> None:
        length = segments_BT.shape[1]
        same = segments_BT[:, :, None] == segments_BT[:, None, :]
        same &= (segments_BT != EMPTY)[:, :, None]
        causal = torch.ones(length, length, dtype=torch.bool, device=segments_BT.device).tril()
        itself = torch.eye(length, dtype=torch.bool, device=segments_BT.device)
        self.mask = (same & causal | itself)[:, None]
        self._kept: tuple[Tensor, Tensor] | None = None

    def extend(self, keys_BGTD: Tensor, values_BGTD: Tensor) -> None:
        self._kept = keys_BGTD, values_BGTD

    def attend(self, queries_BNTD: Tensor) -> Tensor:
        assert self._kept is not None
        keys, values = self._kept
        self._kept = None
        times = queries_BNTD.shape[1] // keys.shape[1]
        keys, values = (x.repeat_interleave(times, dim=1) for x in (keys, values))
        return F.scaled_dot_product_attention(queries_BNTD, keys, values, attn_mask=self.mask)


class PackedFlash:
    """The same by FlashAttention's function for segments of different lengths: filling is not computed at all.

    `kernel` is called as `flash_attn_varlen_func`: queries, keys and values [M, heads, D] in bfloat16, where segments
    begin (int32), and the longest one's length.
    """

    def __init__(self, segments_BT: Tensor, kernel: Callable[..., Tensor]) -> None:
        rows = torch.arange(len(segments_BT), device=segments_BT.device)[:, None]
        named = segments_BT + rows * (int(segments_BT.max()) + 1)
        self.where_M = (segments_BT != EMPTY).flatten().nonzero().squeeze(1)
        _, lengths = torch.unique_consecutive(named.flatten()[self.where_M], return_counts=True)
        self.starts = F.pad(lengths.cumsum(0), (1, 0)).int()
        self.longest = int(lengths.max()) if len(lengths) else 0
        self.kernel = kernel
        self._kept: tuple[Tensor, Tensor] | None = None

    def extend(self, keys_BGTD: Tensor, values_BGTD: Tensor) -> None:
        self._kept = self._gathered(keys_BGTD), self._gathered(values_BGTD)

    def attend(self, queries_BNTD: Tensor) -> Tensor:
        assert self._kept is not None
        keys, values = self._kept
        self._kept = None
        batch, heads, length, width = queries_BNTD.shape
        out = queries_BNTD.new_zeros((batch * length, heads, width), dtype=keys.dtype)
        if self.longest:
            seen = self.kernel(
                self._gathered(queries_BNTD),
                keys,
                values,
                self.starts,
                self.starts,
                self.longest,
                self.longest,
                causal=True,
            )
            out = out.index_copy(0, self.where_M, seen)
        return out.view(batch, length, heads, width).transpose(1, 2)

    def _gathered(self, x_BNTD: Tensor) -> Tensor:
        return x_BNTD.transpose(1, 2).flatten(0, 1)[self.where_M].bfloat16()
