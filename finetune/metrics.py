"""What a speaking model has learned, in figures: the published dashboard's, computed as they are meant.

    perplexity of each codebook and of the text       how sure the model is
    variance of attention's outputs                   whether its layers still say something
    influence of earlier tokens on a codebook's       text, the same codebook, others, the speaker
    confusion of codebooks                            whose codes it takes for likely
    alphas                                            the learned factors on the rope frequencies

The published code has faults that its figures do not survive: it looks for attention under a name that its model does
not have (no variance at all), takes influences at sequential positions instead of the frames', and fails on batches
with speakers. What each figure means, and its thresholds, are the published ones.

Works on a plain model on one device; knows no training run.

B rows, T inputs, M labels, V vocabulary, H hidden, K codebooks
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from finetune.batches import EMPTY, Batch
from finetune.learner import Learner
from kani_npc.lm.loss import IGNORED
from kani_npc.lm.model import Lfm2
from kani_npc.tokens import TokenLayout

TOP = 5  # ids that count as likely in the confusion of codebooks


@dataclass(frozen=True, slots=True)
class Threshold:
    """From where a figure is good, and from where it will do; `above`: the higher the better."""

    name: str
    good: float
    fair: float
    above: bool

    def verdict(self, value: float) -> str:
        """ "good", "fair" or "poor"; "" for what has no value."""
        if np.isnan(value):
            return ""
        reaches = [value > x if self.above else value < x for x in (self.good, self.fair)]
        return "good" if reaches[0] else "fair" if reaches[1] else "poor"


# As published. Perplexities and variances were set for 4032 codes of a codebook and for width 1024.
THRESHOLDS = {
    t.name: t
    for t in (
        Threshold("avg_audio_ppl", 100, 200, above=False),
        Threshold("ppl_variance", 0.1, 0.5, above=False),
        Threshold("output_variance", 1.5, 1.0, above=True),
        Threshold("same_layer_influence", 0.6, 0.4, above=True),
        Threshold("cross_layer_influence", 0.2, 0.4, above=False),
        Threshold("min_diagonal", 0.8, 0.6, above=True),
    )
}


@dataclass
class Metrics:
    """Sums over batches: `add` to them, then read `figures` and the matrices."""

    num_codebooks: int
    nats: dict[str, float] = field(default_factory=dict)
    counted: dict[str, int] = field(default_factory=dict)
    variances: dict[int, list[float]] = field(default_factory=dict)
    influences: dict[int, dict[str, float]] = field(default_factory=dict)
    alphas: dict[int, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.confusions = np.zeros((self.num_codebooks, self.num_codebooks))

    @property
    def confusion(self) -> np.ndarray:
        """[K, K]: of the likely ids where codebook i is due (rows), the share that lies in codebook j."""
        return self.confusions / np.maximum(self.confusions.sum(axis=1, keepdims=True), 1)

    @property
    def perplexities(self) -> dict[str, float]:
        return {
            name: float(np.exp(self.nats[name] / count)) for name, count in self.counted.items()
        }

    @property
    def output_variances(self) -> dict[int, float]:
        """Of each attention layer, by its index."""
        return {layer: float(np.mean(values)) for layer, values in self.variances.items()}

    @property
    def influence_shares(self) -> dict[int, dict[str, float]]:
        """For each codebook, what its predictions hang on: shares of the whole."""
        return {
            k: {name: value / max(sum(parts.values()), 1e-30) for name, value in parts.items()}
            for k, parts in self.influences.items()
        }

    @property
    def figures(self) -> dict[str, float]:
        """All of it by the published names, where there is anything to say."""
        found: dict[str, float] = {}
        perplexities = self.perplexities
        audio = [
            perplexities[x] for x in map(_layer, range(self.num_codebooks)) if x in perplexities
        ]
        found |= {f"{name}_ppl": value for name, value in perplexities.items()}
        if audio:
            mean = float(np.mean(audio))
            found |= {
                "avg_audio_ppl": mean,
                "ppl_variance": float(np.var(audio)) / mean**2,
                "ppl_std": float(np.std(audio)),
                "ppl_max_diff": max(audio) - min(audio),
            }
        if self.confusions.any():
            confusion = self.confusion
            on = np.diagonal(confusion)
            off = confusion[~np.eye(self.num_codebooks, dtype=bool)]
            found |= {
                f"confusion_{i}_{j}": float(confusion[i, j])
                for i in range(self.num_codebooks)
                for j in range(self.num_codebooks)
            }
            found |= {"avg_diagonal": float(on.mean()), "min_diagonal": float(on.min())}
            found |= {
                "avg_off_diagonal": float(off.mean()) if len(off) else 0.0,
                "max_off_diagonal": float(off.max(initial=0.0)),
            }
        variances = self.output_variances
        found |= {f"output_variance_{layer}": value for layer, value in variances.items()}
        if variances:
            found["output_variance"] = float(np.mean(list(variances.values())))
        shares = self.influence_shares
        for k, parts in shares.items():
            found |= {f"{_layer(k)}_{name}_influence": value for name, value in parts.items()}
        for name in ("same_layer", "cross_layer", "text"):
            if shares:
                found[f"{name}_influence"] = float(np.mean([p[name] for p in shares.values()]))
        found |= {f"alpha_{layer}": value for layer, value in self.alphas.items()}
        return found


def measure(
    learner: Learner, batches: Sequence[Batch], *, influence_positions: int = 32, seed: int = 0
) -> Metrics:
    """The metrics of a model over some batches; influences of the first of them, which cost a pass backward each.

    `influence_positions` are drawn of each codebook's; 0: none. The model's weights do not change, nor do gradients.
    """
    lm, layout = learner.lm, learner.lm.layout
    was_training = learner.training
    learner.eval()
    found = Metrics(layout.num_codebooks)
    alphas = lm.alphas()
    if alphas is not None:
        found.alphas = dict(zip(lm.config.attention_layers, alphas.tolist(), strict=True))
    for batch in batches:
        with torch.no_grad(), _attention_outputs(lm) as outputs:
            hidden_BTH = learner.hidden(batch)
        is_somebodys = batch.segments_BT != EMPTY
        for layer, out_BTH in outputs.items():
            variance = out_BTH[is_somebodys].float().var(dim=-1).mean().item()
            found.variances.setdefault(layer, []).append(variance)
        with torch.no_grad():
            _add_predictions(found, learner, batch, hidden_BTH)
    if influence_positions and batches:
        for k in range(layout.num_codebooks):
            shares = influence(learner, batches[0], k, influence_positions, seed=seed)
            if shares:
                found.influences[k] = shares
    learner.train(was_training)
    return found


def _add_predictions(found: Metrics, learner: Learner, batch: Batch, hidden_BTH: Tensor) -> None:
    layout = learner.lm.layout
    labels_M, hidden_MH = _asked(batch, hidden_BTH)
    for start in range(0, len(labels_M), 2048):
        labels, hidden = labels_M[start : start + 2048], hidden_MH[start : start + 2048]
        logits_MV = learner.logits(hidden).float()
        nats_M = F.cross_entropy(logits_MV, labels, reduction="none")
        likely_MT = logits_MV.topk(min(TOP, layout.vocab_size)).indices
        for i in range(layout.num_codebooks):
            first, stop = layout.codebook_start(i), layout.codebook_start(i + 1)
            mine = (labels >= first) & (labels < stop)
            own = nats_M[mine]
            if learner.loss.choices == "legal":
                # What serving chooses from: other ids were never spoken of.
                own = F.cross_entropy(
                    logits_MV[mine, first:stop], labels[mine] - first, reduction="none"
                )
            _add_nats(found, _layer(i), own)
            for j in range(layout.num_codebooks):
                low, high = layout.codebook_start(j), layout.codebook_start(j + 1)
                likely = likely_MT[mine]
                found.confusions[i, j] += int(((likely >= low) & (likely < high)).any(-1).sum())
        if learner.loss.choices != "legal":
            _add_nats(found, "text", nats_M[labels < layout.base])


def _add_nats(found: Metrics, name: str, nats_M: Tensor) -> None:
    if len(nats_M):
        found.nats[name] = found.nats.get(name, 0.0) + nats_M.double().sum().item()
        found.counted[name] = found.counted.get(name, 0) + len(nats_M)


def influence(
    learner: Learner,
    batch: Batch,
    codebook: int,
    num_positions: int,
    *,
    seed: int = 0,
    positions_BT: Tensor | None = None,
) -> dict[str, float]:
    """How much the losses of a codebook's tokens hang on what was read before: the lengths of d loss / d embedding at
    each earlier input and the predicting one itself, summed over sampled places.

    By what the input is: text (all that is no code), the same codebook ("same_layer"), others ("cross_layer"), the
    speaker. `positions_BT` stand in for the batch's own, to compare with code that has others.
    """
    layout = learner.lm.layout
    labels_BT = batch.labels_BT
    first, stop = layout.codebook_start(codebook), layout.codebook_start(codebook + 1)
    places = ((labels_BT[:, 1:] >= first) & (labels_BT[:, 1:] < stop)).nonzero().tolist()
    if not places:
        return {}
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(len(places))[:num_positions]
    if positions_BT is not None:
        batch = replace(batch, positions_BT=positions_BT)
    kinds_BT = _kinds(batch, layout, codebook)
    totals: dict[str, float] = dict.fromkeys(("text", "same_layer", "cross_layer", "speaker"), 0.0)
    with torch.enable_grad():
        embedded = learner.embed(batch).detach().requires_grad_()
        hidden_BTH = learner.hidden(batch, embedded)
        for number, place in enumerate(sorted(chosen.tolist()), start=1):
            b, t = places[place]
            logits = learner.logits(hidden_BTH[b, t])[None].float()
            loss = F.cross_entropy(logits, labels_BT[b, t + 1][None])
            gradient_BTH = torch.autograd.grad(loss, embedded, retain_graph=number < len(chosen))[0]
            lengths_T = gradient_BTH[b, : t + 1].float().norm(dim=-1)
            for kind, name in enumerate(totals):
                totals[name] += lengths_T[kinds_BT[b, : t + 1] == kind].sum().item()
    return totals


def _kinds(batch: Batch, layout: TokenLayout, codebook: int) -> Tensor:
    """0 text, 1 the same codebook, 2 another, 3 the speaker; EMPTY for filling."""
    ids_BT = batch.ids_BT
    of_codebook = (ids_BT - layout.audio_tokens_start).div(
        layout.codebook_size, rounding_mode="floor"
    )
    kinds = torch.where(of_codebook == codebook, 1, 2)
    kinds = kinds.masked_fill(ids_BT < layout.audio_tokens_start, 0)
    kinds[batch.speaker_rows_N, batch.speaker_columns_N] = 3
    return kinds.masked_fill(batch.segments_BT == EMPTY, EMPTY)


@contextmanager
def _attention_outputs(lm: Lfm2) -> Iterator[dict[int, Tensor]]:
    """What each attention layer gives back, by the layer's index. Our modules have no hooks: a call is its forward."""
    kept: dict[int, Tensor] = {}
    watched: list[Any] = []
    for number, layer in enumerate(lm.layers):
        attention: Any = layer.self_attn
        if attention is None:
            continue

        def forward(*inputs: Any, _own: Any = attention.forward, _number: int = number) -> Tensor:
            kept[_number] = out = _own(*inputs)
            return out

        attention.forward = forward
        watched.append(attention)
    try:
        yield kept
    finally:
        for attention in watched:
            del attention.forward


def _asked(batch: Batch, hidden_BTH: Tensor) -> tuple[Tensor, Tensor]:
    is_asked = batch.labels_BT[:, 1:] != IGNORED
    return batch.labels_BT[:, 1:][is_asked], hidden_BTH[:, :-1][is_asked]


def _layer(k: int) -> str:
    return f"layer_{k}"
