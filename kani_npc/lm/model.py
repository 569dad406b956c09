"""LFM2 as KaniTTS2 uses it: one definition for training and for serving.

Knows tokens and positions; knows no text, no sampling, no streams' owners. Weights that are always used together
(q, k, v; w1, w3) are one matrix here and several in a checkpoint: `load.py` translates.

Two ways through the same layers:
  `hidden` and `logits`           whole sequences, for training and checks
  `prefill`, `step`               with an `LmState`, for speaking

B batch or rows, T tokens, H hidden, N query heads, G kv heads, D head width, R attention layers with their own rope
(1 without learnable rope), V vocabulary, C codes in a codebook, K convolution kernel
"""

import math
from collections.abc import Sequence
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kani_npc.lm.config import LmConfig
from kani_npc.lm.independent import may_step_together
from kani_npc.lm.layers import Direct, Epsilon, Linear, rms_norm
from kani_npc.lm.state import LmState, Rows
from kani_npc.lm.upload import upload
from kani_npc.prompt import Prompt, positions


class KeysAndValues(Protocol):
    """Where an attention layer finds the past: stores new keys and values, and looks at all there are."""

    def extend(self, keys_BGTD: Tensor, values_BGTD: Tensor) -> None: ...

    def attend(self, queries_BNTD: Tensor) -> Tensor:
        """[B, N, T, D]; for one token a row, the query heads of a kv head stand where tokens would: [B, G, N/G, D]."""
        ...


class RmsNorm(Direct):
    def __init__(self, size: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.eps = Epsilon(eps)

    def forward(self, x: Tensor) -> Tensor:
        return rms_norm(x, self.weight.to(x.dtype), self.eps)


class ShortConv(Direct):
    """LFM2's gated depthwise causal convolution: out(C * conv(B * x)), no activation."""

    def __init__(self, config: LmConfig) -> None:
        super().__init__()
        size, kernel = config.hidden_size, config.conv_kernel
        self.kernel = kernel
        self.in_proj = Linear(size, 3 * size)
        self.weight = nn.Parameter(torch.empty(size, kernel))
        self.out_proj = Linear(size, size)

    def forward(self, x_BTH: Tensor, tail_BKH: Tensor | None) -> Tensor:
        """`tail_BKH` holds the last K - 1 gated inputs; it is used and renewed in place. None: the start."""
        num_tokens = x_BTH.shape[1]
        gate_in, gate_out, x = self.in_proj(x_BTH).chunk(3, dim=-1)
        gated = gate_in * x
        if tail_BKH is None:
            window = F.pad(gated, (0, 0, self.kernel - 1, 0))
        else:
            window = torch.cat((tail_BKH, gated), dim=1)
            tail_BKH.copy_(window[:, num_tokens:])
        # Shifted multiply-adds: a grouped conv1d is several times slower on a CPU, forward and backward.
        taps = self.weight.to(gated.dtype).unbind(1)
        mixed = window[:, :num_tokens] * taps[0]
        for shift, tap in enumerate(taps[1:], start=1):
            mixed = torch.addcmul(mixed, window[:, shift : shift + num_tokens], tap)
        return self.out_proj(gate_out * mixed)


class Attention(Direct):
    """Grouped-query attention; queries and keys are normalised per head, then rotated (half-split form)."""

    def __init__(self, config: LmConfig) -> None:
        super().__init__()
        self.num_heads, self.num_kv_heads, self.head_dim = (
            config.num_heads,
            config.num_kv_heads,
            config.head_dim,
        )
        self.qkv_proj = Linear(
            config.hidden_size,
            (config.num_heads + 2 * config.num_kv_heads) * config.head_dim,
        )
        self.out_proj = Linear(config.hidden_size, config.hidden_size)
        self.q_layernorm = RmsNorm(config.head_dim, config.norm_eps)
        self.k_layernorm = RmsNorm(config.head_dim, config.norm_eps)

    def forward(
        self, x_BTH: Tensor, rope: tuple[Tensor, Tensor], past: KeysAndValues | None
    ) -> Tensor:
        batch, num_tokens, _ = x_BTH.shape
        heads, kv_heads = self.num_heads, self.num_kv_heads
        qkv = self.qkv_proj(x_BTH).view(batch, num_tokens, heads + 2 * kv_heads, self.head_dim)
        weights = (
            self.q_layernorm.weight.expand(heads, -1),
            self.k_layernorm.weight.expand(kv_heads, -1),
        )
        qk = qkv[:, :, : heads + kv_heads]
        qk = rms_norm(qk, torch.cat(weights), self.q_layernorm.eps)
        q, k = _rotate(qk, rope).transpose(1, 2).split((heads, kv_heads), dim=1)
        v = qkv[:, :, heads + kv_heads :].transpose(1, 2)
        if past is None:
            k, v = (t.repeat_interleave(heads // kv_heads, dim=1) for t in (k, v))
            out = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            return self.out_proj(out.transpose(1, 2).reshape(batch, num_tokens, -1))
        past.extend(k, v)
        if num_tokens == 1:
            # One token: the query heads of a kv head stand where tokens would, so keys need no copying.
            q = q.reshape(batch, kv_heads, heads // kv_heads, self.head_dim)
            return self.out_proj(past.attend(q).reshape(batch, 1, -1))
        return self.out_proj(past.attend(q).transpose(1, 2).reshape(batch, num_tokens, -1))


class FeedForward(Direct):
    def __init__(self, config: LmConfig) -> None:
        super().__init__()
        self.w13 = Linear(config.hidden_size, 2 * config.ff_size)
        self.w2 = Linear(config.ff_size, config.hidden_size)

    def forward(self, x: Tensor) -> Tensor:
        gate, up = self.w13(x).chunk(2, dim=-1)
        return self.w2(F.silu(gate) * up)


class Layer(nn.Module):
    def __init__(self, config: LmConfig, kind: str) -> None:
        super().__init__()
        self.operator_norm = RmsNorm(config.hidden_size, config.norm_eps)
        self.ffn_norm = RmsNorm(config.hidden_size, config.norm_eps)
        self.feed_forward = FeedForward(config)
        self.self_attn = Attention(config) if kind == "full_attention" else None
        self.conv = ShortConv(config) if kind == "conv" else None

    def forward(
        self,
        h_BTH: Tensor,
        rope: tuple[Tensor, Tensor],
        past: KeysAndValues | None = None,
        tail_BKH: Tensor | None = None,
    ) -> Tensor:
        x = self.operator_norm(h_BTH)
        if self.self_attn is not None:
            h_BTH = h_BTH + self.self_attn(x, rope, past)
        else:
            assert self.conv is not None
            h_BTH = h_BTH + self.conv(x, tail_BKH)
        return h_BTH + self.feed_forward(self.ffn_norm(h_BTH))


class Lfm2(nn.Module):
    """The language model. A fresh one has weights fit for training; `load_lm` fills in a checkpoint's."""

    def __init__(self, config: LmConfig) -> None:
        super().__init__()
        self.config = config
        self.layout = config.layout
        self.embed_tokens = nn.Embedding.from_pretrained(
            torch.empty(config.vocab_size, config.hidden_size), freeze=False
        )
        self.layers = nn.ModuleList(Layer(config, kind) for kind in config.layer_types)
        self.embedding_norm = RmsNorm(config.hidden_size, config.norm_eps)
        self.speaker_emb_projection = Linear(config.speaker_dim, config.hidden_size)
        # One scalar per attention layer, by layer index as in the checkpoint; 0 is the middle of the range.
        self.alpha_weights = nn.ParameterDict(
            {
                str(i): nn.Parameter(torch.zeros(()))
                for i in config.attention_layers
                if config.use_learnable_rope
            }
        )
        self.rows_are_independent = False  # see `independent`
        # Where the head is packed (see `packed`), one for each codebook.
        self.heads: Sequence[Direct] | None = None
        # A model on the meta device is about to be filled from a checkpoint. Drawing weights there does nothing but
        # import torch's compiler: 3.5 s of every start.
        if self.device.type != "meta":
            self._initialise()

    def _initialise(self) -> None:
        for module in self.modules():
            if isinstance(module, Linear):
                # Scaled by width, as the small model was found to train (0.02 is this rule at LFM2's own 1024).
                nn.init.normal_(module.weight, std=0.7 / math.sqrt(module.weight.shape[1]))
            elif isinstance(module, nn.Embedding):
                nn.init.normal_(module.weight, std=self.config.initializer_range)
            elif isinstance(module, ShortConv):
                bound = 1 / math.sqrt(module.kernel)
                nn.init.uniform_(module.weight, -bound, bound)

    @property
    def device(self) -> torch.device:
        return self.embed_tokens.weight.device

    @property
    def dtype(self) -> torch.dtype:
        return self.embed_tokens.weight.dtype

    @property
    def num_matrix_weights(self) -> int:
        """Weights that every token is multiplied with, the head not counted; by the dims, however they are packed."""
        config, size = self.config, self.config.hidden_size
        attention = len(config.attention_layers)
        qkv = (config.num_heads + 2 * config.num_kv_heads) * config.head_dim
        mixers = attention * (qkv + size) * size + (config.num_layers - attention) * 4 * size * size
        return mixers + config.num_layers * 3 * size * config.ff_size

    # --- positions -> rotations

    def alphas(self) -> Tensor | None:
        """The factors [R] on the rope frequencies, one per attention layer; None with plain rope."""
        if not self.alpha_weights:
            return None
        low, high = self.config.alpha_min, self.config.alpha_max
        return low + (high - low) * torch.sigmoid(
            torch.stack(list(self.alpha_weights.values())).float()
        )

    def inv_freq(self) -> Tensor:
        """Rope frequencies [R, D/2], float32 whatever the model's dtype, as published."""
        exponents = (
            torch.arange(0, self.config.head_dim, 2, device=self.device).float()
            / self.config.head_dim
        )
        inv_freq_D = 1.0 / self.config.rope_theta**exponents
        alphas = self.alphas()
        return inv_freq_D[None] if alphas is None else alphas[:, None] * inv_freq_D

    # --- whole sequences

    def hidden(
        self, ids_BT: Tensor, positions_BT: Tensor, speaker_BD: Tensor | None = None
    ) -> Tensor:
        """Whole sequences through all layers, causal, no state: [B, T(+1 with a speaker), H] after the final norm.

        `positions_BT` has a column for the speaker too (see `prompt.positions`). Sequences padded on the RIGHT need no
        mask: nothing looks ahead.
        """
        h = self._embed(ids_BT, speaker_BD)
        tables = ropes(positions_BT, self.inv_freq(), h.dtype)
        attention = 0
        for layer in self.layers:
            h = layer(h, tables[attention % len(tables)])
            attention += layer.self_attn is not None
        return self.embedding_norm(h)

    def logits(self, ids_T: Tensor, speaker_D: Tensor | None = None) -> Tensor:
        """One sequence of ids with training positions: [T, V], or [T + 1, V] with a speaker (row 1 is its slot)."""
        where = positions(
            ids_T.tolist(), self.layout, self.config.audio_step, speaker=speaker_D is not None
        )
        positions_BT = torch.from_numpy(where)[None].to(self.device)
        speaker_BD = None if speaker_D is None else speaker_D.reshape(1, -1)
        return F.linear(
            self.hidden(ids_T[None], positions_BT, speaker_BD)[0], self.embed_tokens.weight
        )

    def _embed(self, ids_BT: Tensor, speaker_BD: Tensor | None) -> Tensor:
        h = self.embed_tokens(ids_BT)
        if speaker_BD is None:
            return h
        speaker = self.speaker_emb_projection(speaker_BD.to(self.dtype))[:, None].to(h.dtype)
        return torch.cat((h[:, :1], speaker, h[:, 1:]), dim=1)  # after the first token, as trained

    # --- speaking

    def init_state(self, num_slots: int, max_tokens: int) -> LmState:
        """Static memory for `num_slots` streams; weights must not change while it is in use."""
        with torch.no_grad():
            return LmState(self.config, num_slots, max_tokens, self.inv_freq(), self.dtype)

    @torch.inference_mode()
    def prefill(
        self,
        prompt: Prompt,
        speaker_D: Tensor | None,
        state: LmState,
        slot: int,
        start: int = 0,
        stop: int | None = None,
    ) -> None:
        """Read a prompt up to, not including, its last token (start_of_speech), which the first `step` feeds.

        In pieces: inputs `start` to `stop` of `prompt.prefill_length`, in order, the speaker's slot counted.
        """
        assert (speaker_D is not None) == prompt.with_speaker, (
            "the prompt was made for the other mode"
        )
        stop = prompt.prefill_length if stop is None else stop
        assert 0 <= start <= stop <= prompt.prefill_length, "a piece of the prompt"
        assert state.lengths[slot] == start, "pieces go in order, into a row that was reset"
        assert stop <= state.max_tokens, "the prompt is longer than the state"
        if start == stop:
            return
        ids_BT = upload(torch.tensor([prompt.ids[:-1]]), self.device)
        speaker_BD = None if speaker_D is None else speaker_D.to(self.device).reshape(1, -1)
        h = self._embed(ids_BT, speaker_BD)[:, start:stop]
        positions_BT = torch.arange(start, stop, device=self.device, dtype=torch.float32)[None]
        past = _OneSlot(state, slot, start, stop)
        self._through(h, positions_BT, state, past, state.tails[:, slot : slot + 1])
        state.set_length(slot, stop)

    @torch.inference_mode()
    def step(
        self,
        ids_B: Tensor,
        positions_B: Tensor,
        state: LmState,
        slots: Sequence[int],
        *,
        _sees_itself: bool = True,
    ) -> Tensor:
        """Feed one token to each of the given slots, each at its own position: hidden [B, H] after the final norm.

        In place: the state's rows are one token longer afterwards. `_sees_itself=False` is for comparing with the
        published decode, which masks the current token from itself when there is a speaker; never serve with it.
        """
        if self.rows_are_independent and len(slots) > 1 and not may_step_together(self):
            alone = [
                self.step(ids_B[row : row + 1], positions_B[row : row + 1], state, [slot])
                for row, slot in enumerate(slots)
            ]
            return torch.cat(alone)
        rows = state.rows(slots)
        lengths = [state.lengths[slot] for slot in slots]
        assert max(lengths) < state.max_tokens, "a row of the state is full"
        kind = _EachSlot if self.rows_are_independent else _EverySlot
        past = kind(state, rows, lengths, _sees_itself)
        tails = state.tails[:, rows.view] if rows.view is not None else state.tails[:, rows.index_B]
        h = self._through(
            self.embed_tokens(ids_B)[:, None], positions_B[:, None], state, past, tails
        )
        if rows.view is None:
            state.tails[:, rows.index_B] = tails
        state.advance(rows)
        return h[:, 0]

    @torch.inference_mode()
    def step_rows(
        self, ids_B: Tensor, positions_B: Tensor, state: LmState, index_B: Tensor, span: int
    ) -> Tensor:
        """`step` for slots that a tensor names, with fixed shapes and no question to the host: hidden [B, H].

        Attention goes over `span` tokens whatever the rows hold, which must be more than the longest has. Several rows
        may name one slot that nobody uses. The host's half of the state's lengths is the caller's to move on.
        """
        past = _NamedRows(state, index_B, span)
        tails = state.tails[:, index_B]
        h = self._through(
            self.embed_tokens(ids_B)[:, None], positions_B[:, None], state, past, tails
        )
        state.tails[:, index_B] = tails
        state.lengths_S[index_B] = past.lengths_B + 1
        return h[:, 0]

    def head_rows(self) -> list[Tensor]:
        """The rows of the embedding matrix that codebook k is chosen among, for each k: [C, H].

        They are the head, not all of the matrix: nothing else is a legal choice. For k = 0 end_of_speech comes last.
        """
        layout, weight = self.layout, self.embed_tokens.weight
        starts = [layout.codebook_start(k) for k in range(layout.num_codebooks)]
        heads = [weight[start : start + layout.codebook_size] for start in starts]
        return [torch.cat((heads[0], weight[layout.end_of_speech][None])), *heads[1:]]

    def codebook_logits(self, hidden_BH: Tensor, k: int) -> Tensor:
        """Logits of codebook k's codes [B, C]; for k = 0 end_of_speech is the last column, [B, C + 1]."""
        if self.heads is not None:
            return self.heads[k](hidden_BH)
        first, size = self.layout.codebook_start(k), self.layout.codebook_size
        weight = self.embed_tokens.weight
        codes = F.linear(hidden_BH, weight[first : first + size])
        if k > 0:
            return codes
        end = self.layout.end_of_speech
        return torch.cat((codes, F.linear(hidden_BH, weight[end : end + 1])), dim=-1)

    def _through(
        self,
        h_BTH: Tensor,
        positions_BT: Tensor,
        state: LmState,
        past: "_OneSlot | _EverySlot | _EachSlot | _NamedRows",
        tails: Tensor,
    ) -> Tensor:
        tables = ropes(positions_BT, state.inv_freq_RD, h_BTH.dtype)
        attention = conv = 0
        for layer in self.layers:
            if layer.self_attn is not None:
                past.layer = attention
                h_BTH = layer(h_BTH, tables[attention % len(tables)], past=past)
                attention += 1
            else:
                h_BTH = layer(h_BTH, tables[0], tail_BKH=tails[conv])
                conv += 1
        return self.embedding_norm(h_BTH)


class _OneSlot:
    """The past of one slot during prefill: tokens `start` to `stop` are being added."""

    def __init__(self, state: LmState, slot: int, start: int, stop: int) -> None:
        self.layer = 0
        self.state, self.slot, self.start, self.stop = state, slot, start, stop
        ones = torch.ones(stop - start, stop, dtype=torch.bool, device=state.keys.device)
        self.mask = ones.tril(start)

    def extend(self, keys_BGTD: Tensor, values_BGTD: Tensor) -> None:
        self.state.keys[self.layer, self.slot, :, self.start : self.stop] = keys_BGTD[0]
        self.state.values[self.layer, self.slot, :, self.start : self.stop] = values_BGTD[0]

    def attend(self, queries_BNTD: Tensor) -> Tensor:
        keys, values = (
            kv[self.layer, self.slot, None, :, : self.stop]
            for kv in (self.state.keys, self.state.values)
        )
        if self.stop - self.start == 1:  # sees everything
            return F.scaled_dot_product_attention(queries_BNTD, keys, values)
        share = queries_BNTD.shape[1] // keys.shape[1]
        keys, values = (t.repeat_interleave(share, dim=1) for t in (keys, values))
        return F.scaled_dot_product_attention(queries_BNTD, keys, values, attn_mask=self.mask)


class _EverySlot:
    """The past of a step's rows, each of its own length; attention goes as far as the longest of them."""

    def __init__(self, state: LmState, rows: Rows, lengths: list[int], sees_itself: bool) -> None:
        self.layer = 0
        self.state, self.view, self.index_B = state, rows.view, rows.index_B
        self.longest = max(lengths)
        self.same = self.longest if rows.view is not None and min(lengths) == self.longest else None
        self.span = self.longest + sees_itself
        self.mask = None
        if self.same is None:
            self.lengths_B = state.lengths_S[rows.index_B]
            columns = torch.arange(self.span, device=self.index_B.device)
            hidden = columns >= (self.lengths_B + int(sees_itself))[:, None]
            self.mask = torch.zeros(
                hidden.shape, dtype=state.keys.dtype, device=self.index_B.device
            )
            self.mask = self.mask.masked_fill_(hidden, float("-inf"))[:, None, None]

    def extend(self, keys_BGTD: Tensor, values_BGTD: Tensor) -> None:
        keys_SGTD, values_SGTD = self.state.keys[self.layer], self.state.values[self.layer]
        if self.same is not None:
            keys_SGTD[self.view, :, self.same] = keys_BGTD[:, :, 0]
            values_SGTD[self.view, :, self.same] = values_BGTD[:, :, 0]
        else:
            keys_SGTD[self.index_B, :, self.lengths_B] = keys_BGTD[:, :, 0]
            values_SGTD[self.index_B, :, self.lengths_B] = values_BGTD[:, :, 0]

    def attend(self, queries_BNTD: Tensor) -> Tensor:
        of = self.view if self.view is not None else self.index_B
        keys, values = (
            kv[self.layer][of, :, : self.span] for kv in (self.state.keys, self.state.values)
        )
        return F.scaled_dot_product_attention(queries_BNTD, keys, values, attn_mask=self.mask)


class _EachSlot:
    """The past of a step's rows, each looking at its own tokens by itself: rounding knows no neighbours."""

    def __init__(self, state: LmState, rows: Rows, lengths: list[int], sees_itself: bool) -> None:
        self.layer = 0
        self.state, self.sees_itself = state, sees_itself
        self.rows = list(zip(rows.slots, lengths, strict=True))

    def extend(self, keys_BGTD: Tensor, values_BGTD: Tensor) -> None:
        keys_SGTD, values_SGTD = self.state.keys[self.layer], self.state.values[self.layer]
        for row, (slot, length) in enumerate(self.rows):
            keys_SGTD[slot, :, length] = keys_BGTD[row, :, 0]
            values_SGTD[slot, :, length] = values_BGTD[row, :, 0]

    def attend(self, queries_BNTD: Tensor) -> Tensor:
        keys_SGTD, values_SGTD = self.state.keys[self.layer], self.state.values[self.layer]
        out = torch.empty_like(queries_BNTD)
        for row, (slot, length) in enumerate(self.rows):
            span = length + self.sees_itself
            out[row] = F.scaled_dot_product_attention(
                queries_BNTD[row : row + 1],
                keys_SGTD[slot, None, :, :span],
                values_SGTD[slot, None, :, :span],
            )[0]
        return out


class _NamedRows:
    """The past of rows that a tensor names: fixed shapes, and lengths that only the device knows."""

    def __init__(self, state: LmState, index_B: Tensor, span: int) -> None:
        self.layer = 0
        self.state, self.index_B, self.span = state, index_B, span
        self.lengths_B = state.lengths_S[index_B]
        unseen = torch.arange(span, device=index_B.device) > self.lengths_B[:, None]
        mask = torch.zeros(unseen.shape, dtype=state.keys.dtype, device=index_B.device)
        self.mask = mask.masked_fill_(unseen, float("-inf"))[:, None, None]

    def extend(self, keys_BGTD: Tensor, values_BGTD: Tensor) -> None:
        keys_SGTD, values_SGTD = self.state.keys[self.layer], self.state.values[self.layer]
        keys_SGTD[self.index_B, :, self.lengths_B] = keys_BGTD[:, :, 0]
        values_SGTD[self.index_B, :, self.lengths_B] = values_BGTD[:, :, 0]

    def attend(self, queries_BNTD: Tensor) -> Tensor:
        keys, values = (
            kv[self.layer, :, :, : self.span].index_select(0, self.index_B)
            for kv in (self.state.keys, self.state.values)
        )
        return F.scaled_dot_product_attention(queries_BNTD, keys, values, attn_mask=self.mask)


def ropes(
    positions_BT: Tensor, inv_freq_RD: Tensor, dtype: torch.dtype
) -> list[tuple[Tensor, Tensor]]:
    """(cos, sin) for each attention layer, [B, T, 1, D], made in float32 and then cast, as published.

    sin carries the sign of the half-split rotation, so that `_rotate` needs no negation.
    """
    angles = positions_BT.float()[None, :, :, None, None] * inv_freq_RD[:, None, None, None]
    cos, sin = angles.cos(), angles.sin()
    cos, sin = torch.cat((cos, cos), dim=-1).to(dtype), torch.cat((-sin, sin), dim=-1).to(dtype)
    return list(zip(cos.unbind(0), sin.unbind(0), strict=True))


def _rotate(x_BTND: Tensor, rope: tuple[Tensor, Tensor]) -> Tensor:
    cos, sin = rope
    return torch.addcmul(x_BTND * cos, x_BTND.roll(x_BTND.shape[-1] // 2, dims=-1), sin)
