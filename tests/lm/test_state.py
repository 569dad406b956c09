"""Slots are independent, prompts may be read in pieces, and decoding is the whole sequence, one token at a time.

Tolerance 2e-5 on logits of spread about 1 (float32): batched and single products round differently, nothing else may.
"""

import itertools

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from kani_npc.lm import Lfm2, LmState, training_labels, training_loss
from kani_npc.prompt import Prompt, build_prompt, positions, training_row
from tests.lm.models import TINY, tiny_lm

LM = tiny_lm()
LAYOUT = LM.layout
CLOSE = {"atol": 2e-5, "rtol": 0.0}


def encode(text: str) -> list[int]:
    return [1, *(3 + byte % 300 for byte in text.encode())]


def prompt_of(text: str, with_speaker: bool = True) -> Prompt:
    return build_prompt(LAYOUT, encode, text, with_speaker=with_speaker)


def speaker_of(seed: int) -> torch.Tensor:
    return F.normalize(torch.randn(8, generator=torch.Generator().manual_seed(seed)), dim=0)


class Stream:
    """One line being said with codes drawn beforehand: what to feed next, and where."""

    def __init__(self, seed: int, slot: int) -> None:
        self.slot = slot
        self.prompt = prompt_of("x" * (3 + 5 * seed), with_speaker=seed % 3 > 0)
        self.speaker = speaker_of(seed) if self.prompt.with_speaker else None
        codes = torch.randint(50, (8, 4), generator=torch.Generator().manual_seed(seed)).tolist()
        self.ids = [*self.prompt.ids, *LAYOUT.to_ids(codes)]
        self.where = positions(self.ids, LAYOUT, TINY.audio_step, self.prompt.with_speaker)
        self.fed = 0
        self.hidden: list[torch.Tensor] = []

    @property
    def token(self) -> int:
        return self.ids[len(self.prompt.ids) - 1 + self.fed]

    @property
    def position(self) -> float:
        return float(self.where[self.prompt.prefill_length + self.fed])

    def logits(self) -> torch.Tensor:
        return F.linear(torch.stack(self.hidden), LM.embed_tokens.weight)

    def expected(self) -> torch.Tensor:
        whole = LM.logits(torch.tensor(self.ids), self.speaker)
        return whole[self.prompt.prefill_length :][: self.fed]


def step(state: LmState, streams: list[Stream], lm: Lfm2 = LM) -> None:
    tokens = torch.tensor([stream.token for stream in streams])
    where = torch.tensor([stream.position for stream in streams])
    hidden = lm.step(tokens, where, state, [stream.slot for stream in streams])
    for stream, row in zip(streams, hidden, strict=True):
        stream.hidden.append(row)
        stream.fed += 1


@settings(max_examples=25, deadline=None, derandomize=True)
@given(data=st.data(), num_slots=st.integers(1, 5))
def test_any_rows_in_any_order_say_what_each_would_say_alone(data, num_slots):
    state = LM.init_state(num_slots, 64)
    slots = data.draw(st.permutations(range(num_slots)))
    streams = [Stream(seed, slot) for seed, slot in enumerate(slots)]
    for stream in streams:
        LM.prefill(stream.prompt, stream.speaker, state, stream.slot)
    for _ in range(data.draw(st.integers(1, 8))):
        step(state, data.draw(st.lists(st.sampled_from(streams), min_size=1, unique_by=id)))
    for stream in streams:
        if stream.fed:
            torch.testing.assert_close(stream.logits(), stream.expected(), **CLOSE)
        assert (
            state.lengths[stream.slot]
            == state.lengths_S[stream.slot]
            == stream.prompt.prefill_length + stream.fed
        )


@settings(max_examples=20, deadline=None, derandomize=True)
@given(cuts=st.lists(st.integers(0, 20), max_size=4), with_speaker=st.booleans())
def test_a_prompt_read_in_pieces_leaves_what_it_leaves_read_whole(cuts, with_speaker):
    prompt = prompt_of("Halt! Who goes", with_speaker)
    speaker = speaker_of(1) if with_speaker else None
    whole, pieces = LM.init_state(1, 40), LM.init_state(3, 40)
    LM.prefill(prompt, speaker, whole, slot=0)
    edges = sorted({0, *(min(cut, prompt.prefill_length) for cut in cuts), prompt.prefill_length})
    for start, stop in itertools.pairwise(edges):
        LM.prefill(prompt, speaker, pieces, slot=1, start=start, stop=stop)
    assert pieces.lengths == [0, prompt.prefill_length, 0]
    torch.testing.assert_close(pieces.keys[:, 1], whole.keys[:, 0], **CLOSE)
    torch.testing.assert_close(pieces.values[:, 1], whole.values[:, 0], **CLOSE)
    torch.testing.assert_close(pieces.tails[:, 1], whole.tails[:, 0], **CLOSE)


def test_reading_a_prompt_leaves_the_rows_that_step_known():
    """They are an index on the device, which a GPU would be waited for to make again."""
    state = LM.init_state(3, 64)
    rows = state.rows([0, 2])
    LM.prefill(prompt_of("Halt!", with_speaker=False), None, state, 1)
    assert state.rows([0, 2]) is rows


def test_a_step_leaves_the_other_slots_exactly_as_they_were():
    state = LM.init_state(4, 48)
    streams = [Stream(seed, slot=seed) for seed in range(4)]
    for stream in streams:
        LM.prefill(stream.prompt, stream.speaker, state, stream.slot)
    before = [t.clone() for t in (state.keys, state.values, state.tails)]
    step(state, [streams[2], streams[0]])
    for old, new in zip(before, (state.keys, state.values, state.tails), strict=True):
        assert torch.equal(old[:, [1, 3]], new[:, [1, 3]])
        assert not torch.equal(old[:, [0, 2]], new[:, [0, 2]])


def test_a_reset_slot_is_a_fresh_one_whatever_its_last_guest_left():
    state = LM.init_state(2, 48)
    state.keys[:, 0], state.values[:, 0], state.tails[:, 0] = torch.nan, torch.nan, torch.nan
    state.lengths[0] = 48
    state.lengths_S[0] = 48
    state.reset([0])
    neighbour, guest = Stream(4, slot=1), Stream(1, slot=0)
    for stream in (neighbour, guest):
        LM.prefill(stream.prompt, stream.speaker, state, stream.slot)
    step(
        state, [guest, neighbour]
    )  # the neighbour is longer: attention reaches over the old guest's keys
    torch.testing.assert_close(guest.logits(), guest.expected(), **CLOSE)
    torch.testing.assert_close(neighbour.logits(), neighbour.expected(), **CLOSE)


def test_a_row_of_nan_stays_alone_with_it():
    state = LM.init_state(2, 48)
    ill, well = Stream(1, slot=0), Stream(2, slot=1)
    for stream in (ill, well):
        LM.prefill(stream.prompt, stream.speaker, state, stream.slot)
    state.tails[:, 0] = torch.nan
    step(state, [ill, well])
    assert ill.logits().isnan().all()
    torch.testing.assert_close(well.logits(), well.expected(), **CLOSE)


def test_the_speaker_and_the_voice_without_one_are_heard():
    ids = torch.tensor(prompt_of("Halt!").ids)
    first, second = (LM.logits(ids, speaker_of(seed)) for seed in (1, 2))
    none = LM.logits(ids)
    assert none.shape == (len(ids), TINY.vocab_size)
    assert first.shape == (len(ids) + 1, TINY.vocab_size)
    assert (first[-1] - second[-1]).abs().max() > 0.01
    assert (first[-1] - none[-1]).abs().max() > 0.01


def test_positions_matter_to_attention():
    ids = torch.tensor(prompt_of("Halt!", with_speaker=False).ids)[None]
    where = torch.arange(ids.shape[1]).float()[None]
    straight, stretched = LM.hidden(ids, where), LM.hidden(ids, where * 1.5)
    assert (straight - stretched).abs().max() > 0.01


def test_bfloat16_says_much_the_same():
    lm = tiny_lm().bfloat16()
    stream = Stream(1, slot=0)
    exact = LM.logits(torch.tensor(stream.ids), stream.speaker).flatten()
    rounded = lm.logits(torch.tensor(stream.ids), stream.speaker).float().flatten()
    assert torch.corrcoef(torch.stack((exact, rounded)))[0, 1] > 0.99


def test_bfloat16_decodes_rows_of_different_lengths_as_it_reads_them_whole():
    lm = tiny_lm().bfloat16()
    state = lm.init_state(3, 64)
    streams = [Stream(1, slot=2), Stream(2, slot=0)]
    for stream in streams:
        speaker = None if stream.speaker is None else stream.speaker.bfloat16()
        lm.prefill(stream.prompt, speaker, state, stream.slot)
    for _ in range(8):
        step(state, streams, lm)
    for stream in streams:
        whole = lm.logits(torch.tensor(stream.ids), stream.speaker)[stream.prompt.prefill_length :]
        stepped = F.linear(torch.stack(stream.hidden), lm.embed_tokens.weight)
        both = torch.stack((stepped.float().flatten(), whole[:8].float().flatten()))
        assert torch.corrcoef(both)[0, 1] > 0.99


@pytest.mark.parametrize("autocast", [False, True])
def test_a_fresh_model_learns_one_line(autocast):
    """Training as the recipes do it: the whole model in float32, bf16 autocast on the CPU."""
    torch.manual_seed(0)
    lm = type(LM)(TINY)
    codes = torch.randint(50, (6, 4)).tolist()
    ids = torch.tensor(
        [training_row(LAYOUT, encode, "Halt!", codes), training_row(LAYOUT, encode, "Whoa!", codes)]
    )
    where = torch.from_numpy(positions(ids, LAYOUT, TINY.audio_step, speaker=True))
    labels = training_labels(ids, LAYOUT, speaker=True)
    speakers = torch.stack((speaker_of(1), speaker_of(2)))
    optimizer = torch.optim.AdamW(lm.parameters(), lr=1e-2)
    losses = []
    for _ in range(25):
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            logits = F.linear(lm.hidden(ids, where, speakers), lm.embed_tokens.weight)
        loss = training_loss(logits, labels)
        loss.backward()
        for name, parameter in lm.named_parameters():
            assert parameter.grad is not None and parameter.grad.isfinite().all(), name
        optimizer.step()
        losses.append(loss.item())
    # log(530) = 6.3 is what knowing nothing costs
    assert 5.5 < losses[0] < 7.5
    assert losses[-1] < 0.4 * losses[0]
