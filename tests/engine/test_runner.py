"""Fixed shapes say what free ones say; a graph says what its frame says; rows that are to spare disturb nobody."""

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kani_npc.codec.load import load_codec
from kani_npc.engine.model import SpeechModel, load_model
from kani_npc.engine.runner import Runner, StaticFrame
from kani_npc.engine.scheduler import StepFrames, StepPlan
from kani_npc.lm.config import LmConfig
from kani_npc.lm.model import Lfm2
from kani_npc.lm.sampler import BLOCK_FRAMES
from kani_npc.models import resolve_model
from kani_npc.prompt import build_prompt
from kani_npc.speech import Sampling
from tests.support.random_model import SPEAKER_SPACE, ByteTokenizer, line, random_model

SMALL_NEMO = Path(__file__).parents[1] / "golden" / "codec" / "small.nemo"
LSB = 2  # of int16: batches of another size round differently
FRAMES = 3 * BLOCK_FRAMES  # at most
LIVELY = Sampling(temperature=1.2, top_k=40, repetition_penalty=1.2, min_frames=40, max_frames=60)


def nanocodec_model(device: str = "cpu") -> SpeechModel:
    """The random model's text side and a NanoCodec of small dims: the other kind of decoder."""
    codec = load_codec(SMALL_NEMO, device=device)
    config = random_model().lm.config
    start, size = config.audio_tokens_start, codec.num_codebooks * codec.codebook_size
    config = replace(
        config, vocab_size=start + size, tokens_per_frame=codec.num_codebooks, initializer_range=0.5
    )
    lm = random_weights(config).to(device)
    info = replace(random_model().info, samples_per_frame=codec.samples_per_frame)
    return SpeechModel(lm, codec, ByteTokenizer(), info)


def random_weights(config: LmConfig) -> Lfm2:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return Lfm2(config).eval().requires_grad_(False)


def runner(model: SpeechModel, *, static: bool | None) -> Runner:
    return Runner(model, num_slots=5, max_prompt_tokens=64, max_frames=FRAMES, static=static)


def begin(runner: Runner, model: SpeechModel, slot: int, *, top_k: int = 40) -> None:
    sampling = LIVELY.but(top_k=top_k)
    # The random voices are of the random model's space; another model speaks without one.
    voice = slot if model.info.speaker_space == SPEAKER_SPACE else None
    utterance = line(f"u{slot}", "Halt!" * (1 + slot), voice=voice, sampling=sampling, seed=slot)
    with_speaker = voice is not None
    prompt = build_prompt(
        model.lm.layout, model.tokenizer.encode, utterance.text, "en_us", with_speaker=with_speaker
    )
    runner.admit(slot)
    runner.begin(slot, utterance, prompt, piece=0)
    while not runner.read(slot):
        pass


def step(runner: Runner, slots: tuple[int, ...]) -> StepFrames:
    return runner.run(StepPlan(slots, tuple((slot, 1) for slot in slots)))


def assert_same(got: StepFrames, expected: StepFrames) -> None:
    assert got.codes == expected.codes and got.ended == expected.ended
    assert got.samples.keys() == expected.samples.keys()
    for slot, samples in expected.samples.items():
        difference = got.samples[slot].astype(int) - samples.astype(int)
        assert np.abs(difference).max(initial=0) <= LSB


@pytest.mark.parametrize("model", [random_model, nanocodec_model])
def test_fixed_shapes_say_what_free_shapes_say(model):
    model = model()
    free, fixed = runner(model, static=False), runner(model, static=True)
    for slot in range(5):
        for one in (free, fixed):
            begin(one, model, slot, top_k=1000 if slot == 4 else 40)
    for slots in [(0,), (3, 1), (1, 2, 3), (4, 0, 2, 1, 3), (2,), (4, 1)] * 2:
        assert_same(step(fixed, slots), step(free, slots))


@settings(max_examples=15, deadline=None)
@given(plans=st.lists(st.permutations(range(5)), min_size=1, max_size=6), data=st.data())
def test_rows_to_spare_leave_every_slot_as_it_was(plans, data):
    model = random_model()
    fixed = runner(model, static=True)
    for slot in range(5):
        begin(fixed, model, slot)
    memory = fixed._memory
    for plan in plans:
        slots = tuple(plan[: data.draw(st.integers(1, 4))])
        others = [slot for slot in range(5) if slot not in slots]
        kept = [memory.lm_state.keys, memory.lm_state.values, memory.lm_state.tails]
        before = [tensor[:, others].clone() for tensor in kept]
        before += [t[others].clone() for t in memory.decoder_state.tensors.values()]
        step(fixed, slots)
        after = [tensor[:, others] for tensor in kept]
        after += [t[others] for t in memory.decoder_state.tensors.values()]
        assert all(torch.equal(old, new) for old, new in zip(before, after, strict=True))
        assert memory.lm_state.lengths_S[memory.spare] == 0
        assert memory.lm_state.lengths == memory.lm_state.lengths_S.tolist()


def test_a_frame_asks_the_device_for_no_value():
    """A captured graph may not wait for the device. Meta tensors have no values: asking for one raises."""
    model = random_model()
    with torch.device("meta"):
        lm = Lfm2(model.lm.config).requires_grad_(False)
    codec = type(model.codec)(model.codec.config).serve().to("meta")  # pyright: ignore
    fixed = Runner(
        SpeechModel(lm, codec, model.tokenizer, model.info),
        num_slots=3,
        max_prompt_tokens=16,
        max_frames=8,
        static=True,
    )
    StaticFrame(fixed._memory, rows=2, span=48, num_candidates=64).compute()


def test_the_next_guest_of_a_slot_comes_after_all_that_frames_have_left_to_do_there(monkeypatch):
    """On a GPU prompts have a stream of their own, and what renews random numbers follows on a frame's arrival."""
    frames, waited, copied = object(), [], []

    class Prompts:
        def wait_stream(self, stream: object) -> None:
            waited.append(stream)
            assert not copied

    model = random_model()
    one = runner(model, static=True)
    monkeypatch.setattr(one, "_prompts", Prompts())
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: frames)
    monkeypatch.setattr(torch.cuda, "stream", lambda stream: nullcontext())
    monkeypatch.setattr(one._memory.decoder_state, "reset", copied.append)
    one.admit(3)
    assert waited == [frames] and copied == [[3]]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("weights", ["float32", "bfloat16"])
def test_on_a_gpu_graphs_say_what_their_frames_say(weights):
    model = load_model(resolve_model("tiny"), device="cuda", weights=weights)
    captured, eager = runner(model, static=None), runner(model, static=None)
    for frame in eager._frames.values():
        frame._graph = None
    for slot in range(5):
        for one in (captured, eager):
            begin(one, model, slot)
    for slots in [(0,), (3, 1), (1, 2, 3), (4, 0, 2, 1, 3), (2,), (4, 1)] * 2:
        assert_same(step(captured, slots), step(eager, slots))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_a_gpu_float32_says_what_the_cpu_says():
    torch.backends.cudnn.allow_tf32 = False
    cpu, gpu = nanocodec_model(), nanocodec_model("cuda")
    slow, fast = runner(cpu, static=False), runner(gpu, static=None)
    for slot in range(5):
        begin(slow, cpu, slot)
        begin(fast, gpu, slot)
    for slots in [(0, 1), (4, 0, 2, 1, 3), (2,)] * 2:
        assert_same(step(fast, slots), step(slow, slots))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_a_gpu_neither_prompts_nor_frames_wait_for_the_device():
    """Only who collects a frame waits. Torch raises where it would have to; twice as many frames as random numbers are
    made at a time."""
    model = load_model(resolve_model("tiny"), device="cuda")
    one = runner(model, static=None)
    plan = StepPlan((0, 1), ((0, 1), (1, 1)))

    def speak(frames: int) -> None:
        for slot in plan.speak:
            begin(one, model, slot)
        for _ in range(frames):
            one.collect(one.launch(plan))

    speak(2)  # libraries prepare themselves
    torch.cuda.set_sync_debug_mode("error")
    try:
        speak(2 * BLOCK_FRAMES)
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_a_gpu_the_next_guest_of_a_slot_gets_its_own_random_numbers():
    """Its last one left when it had just used up its own, and more of them were on their way."""
    model = load_model(resolve_model("tiny"), device="cuda")
    used, fresh = (runner(model, static=None) for _ in range(2))
    for _ in range(20):
        begin(used, model, 0)
        for _ in range(BLOCK_FRAMES):
            step(used, (0,))
        begin(used, model, 0, top_k=30)
        begin(fresh, model, 0, top_k=30)
        assert_same(step(used, (0,)), step(fresh, (0,)))
