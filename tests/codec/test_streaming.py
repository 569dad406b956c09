"""Streams: any cutting, any batch, any order of slots gives the samples of one whole decode."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kani_npc.codec import streaming
from kani_npc.codec.nanocodec import NanoCodec
from kani_npc.codec.streaming import StreamingDecoder
from kani_npc.errors import CodecError

TOLERANCE = 1e-5
MAX_FRAMES = 6


def draw_codes(codec: NanoCodec, streams: int, frames: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(
        0, codec.codebook_size, (streams, codec.num_codebooks, frames), generator=generator
    )


def whole(codec: NanoCodec, codes: torch.Tensor) -> torch.Tensor:
    """One pass of the plain network: the judge."""
    return codec.decoder(codec.quantizer.decode(codes))


@dataclass
class Step:
    slots: list[int]
    frames: int


steps = st.builds(
    Step,
    slots=st.lists(st.integers(0, 3), min_size=1, max_size=4, unique=True),
    frames=st.integers(1, MAX_FRAMES),
)


@settings(max_examples=40)
@given(plan=st.lists(steps, min_size=1, max_size=8), seed=st.integers(0, 999))
def test_any_cutting_batch_and_order_of_slots_gives_the_whole(miniature_codec, plan, seed):
    decoder = miniature_codec.streaming_decoder()
    codes = draw_codes(miniature_codec, 4, sum(step.frames for step in plan), seed)
    state = decoder.init_state(4)
    at, pieces = [0] * 4, [[] for _ in range(4)]
    for step in plan:
        rows = [codes[slot, :, at[slot] : at[slot] + step.frames] for slot in step.slots]
        for slot, samples in zip(
            step.slots, decoder(torch.stack(rows), state, step.slots), strict=True
        ):
            pieces[slot].append(samples)
            at[slot] += step.frames
    expected = whole(miniature_codec, codes)
    for slot in range(4):
        if pieces[slot]:
            got = torch.cat(pieces[slot])
            assert (got - expected[slot, : len(got)]).abs().max() <= TOLERANCE


@pytest.mark.parametrize("cuts", [[12], [1, 1, 2, 4, 4], [8, 3, 1]])
def test_full_size_streams_are_the_published_samples(full_codec, golden, cuts):
    vectors = golden("full_decode")
    codes = torch.from_numpy(vectors["tokens"])
    decoder = full_codec.streaming_decoder()
    state = decoder.init_state(1)
    samples = torch.cat([decoder(piece, state) for piece in codes.split(cuts, dim=2)], dim=1)
    assert np.abs(samples.numpy() - vectors["audio"]).max() <= TOLERANCE


def test_streams_of_a_full_size_batch_are_the_published_samples(full_codec, golden):
    vectors = golden("full_decode_batch")
    codes = torch.from_numpy(vectors["tokens"])
    decoder = full_codec.streaming_decoder()
    state = decoder.init_state(3)
    together = decoder(codes[..., :2], state, [2, 0])  # the second item has one frame more
    second = decoder(codes[1:, :, 2:3], state, [0])
    first = decoder(codes[:1, :, 2:6], state, [2])
    for row, samples in enumerate(
        (torch.cat([together[:1], first], 1), torch.cat([together[1:], second], 1))
    ):
        valid = int(vectors["audio_len"][row])
        assert np.abs(samples[0].numpy() - vectors["audio"][row, :valid]).max() <= TOLERANCE


def test_a_reset_slot_is_new_and_its_neighbours_do_not_notice(miniature_codec):
    decoder = miniature_codec.streaming_decoder()
    codes = draw_codes(miniature_codec, 3, 4)
    state, undisturbed = decoder.init_state(3), decoder.init_state(3)
    decoder(codes, state)
    decoder(codes, undisturbed)
    state.reset([1])
    after, expected = decoder(codes, state), decoder(codes, undisturbed)
    assert torch.equal(after[[0, 2]], expected[[0, 2]])
    assert (after[1] - whole(miniature_codec, codes[1:2])[0]).abs().max() <= TOLERANCE


def test_slots_in_a_tensor_mean_the_same(miniature_codec):
    decoder = miniature_codec.streaming_decoder()
    codes = draw_codes(miniature_codec, 2, 3)
    state, other = decoder.init_state(4), decoder.init_state(4)
    for _ in range(2):
        assert torch.equal(
            decoder(codes, state, [3, 1]), decoder(codes, other, torch.tensor([3, 1]))
        )
    other.reset(torch.tensor([3, 1]))
    assert not any(tensor.any() for tensor in other.tensors)


def test_packed_and_ordinary_convolutions_agree(miniature_codec, monkeypatch):
    codes = draw_codes(miniature_codec, 2, 5)
    packed = miniature_codec.streaming_decoder()
    monkeypatch.setattr(streaming, "_has_packed_convolution", lambda dtype: False)
    ordinary = miniature_codec.streaming_decoder()
    state, other = packed.init_state(2), ordinary.init_state(2)
    for piece in codes.split([1, 4], dim=2):
        assert (packed(piece, state) - ordinary(piece, other)).abs().max() <= TOLERANCE


@pytest.mark.parametrize("rows", [1, 3])
def test_threads_share_a_step_and_change_no_bit(miniature_codec, monkeypatch, rows):
    monkeypatch.setattr(streaming, "WORTH_A_THREAD", 0)
    decoder = miniature_codec.streaming_decoder()
    codes = draw_codes(miniature_codec, rows, 7)
    before, sounds = torch.get_num_threads(), {}
    try:
        for threads in (1, 2, 3, 8):
            torch.set_num_threads(threads)
            state = decoder.init_state(rows)
            sounds[threads] = torch.cat(
                [decoder(piece, state) for piece in codes.split((1, 2, 4), dim=2)], dim=1
            )
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    for threads in (2, 3, 8):
        assert torch.equal(sounds[threads], sounds[1])


def test_the_longest_chain_has_a_thread_of_its_own():
    shares = streaming._Shares([3, 7, 11])
    assert shares[1] == [[2, 1, 0]]
    assert shares[2] == [[2], [1, 0]]
    assert shares[3] == shares[8] == [[2], [1], [0]]


def test_a_step_asks_the_device_for_no_value(miniature_codec):
    """A captured graph may not wait for the device. Meta tensors have no values: asking for one raises."""
    codec = NanoCodec(miniature_codec.config).to("meta")
    decoder = StreamingDecoder(codec.decoder, codec.quantizer)
    state = decoder.init_state(3)
    codes = torch.zeros(2, 2, 4, dtype=torch.long, device="meta")
    samples = decoder(codes, state, torch.zeros(2, dtype=torch.long, device="meta"))
    assert samples.shape == (2, 4 * codec.samples_per_frame)


def test_one_state_holds_what_the_receptive_field_needs_and_no_more(full_codec):
    state = full_codec.streaming_decoder().init_state(2)
    assert len(state.tensors) == 97
    assert sum(tensor[0].numel() for tensor in state.tensors) == 182_616


def test_what_is_handed_out_is_an_ordinary_tensor(miniature_codec):
    decoder = miniature_codec.streaming_decoder()
    samples = decoder(draw_codes(miniature_codec, 1, 1), decoder.init_state(1))
    samples *= 0.5  # an inference-mode tensor would raise
    assert samples.dtype == torch.float32 and samples.is_contiguous()


def test_no_frames_and_no_streams_are_no_samples(miniature_codec):
    decoder = miniature_codec.streaming_decoder()
    state = decoder.init_state(2)
    assert decoder(draw_codes(miniature_codec, 2, 0), state).shape == (2, 0)
    assert decoder(draw_codes(miniature_codec, 0, 3), state, []).shape[0] == 0


def test_codes_and_slots_that_do_not_fit_are_refused(miniature_codec):
    decoder = miniature_codec.streaming_decoder()
    state = decoder.init_state(3)
    with pytest.raises(CodecError, match="outside the codebook"):
        decoder(torch.full((3, 2, 1), 20), state)
    with pytest.raises(CodecError, match="2 slots are named"):
        decoder(draw_codes(miniature_codec, 3, 1), state, [0, 1])
    for slots in ([0, 0, 1], [0, 1, 3], [-1, 0, 1]):
        with pytest.raises(ValueError, match="not different rows"):
            decoder(draw_codes(miniature_codec, 3, 1), state, slots)
    with pytest.raises(ValueError, match="at least one slot"):
        decoder.init_state(0)
