"""Turns a plan into tensors and back: prefills prompts, runs a frame for every row, decodes codes to sound.

Owns everything a slot remembers: language-model state, decoder state, sampler state, codes not decoded yet. The one
home of device copies; one of them a step. Knows no queue, no clock, and no utterance but as ids and numbers.

Two ways through a step, which say the same (a test compares them):
  on a CPU    shapes go by what the rows hold, and several frames of a row may become sound at once
  on a GPU    fixed shapes (`StaticFrame`), one captured graph for each; prompts are read on a stream of their own

Shapes: S slots, B rows, K codebooks, F frames, N samples.
"""

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kani_npc.audio import to_int16
from kani_npc.engine.memory import buckets, spans
from kani_npc.engine.model import SpeechModel
from kani_npc.engine.scheduler import StepFrames, StepPlan
from kani_npc.errors import EngineFailed, KaniError
from kani_npc.lm.sampler import Sampler
from kani_npc.prompt import Prompt
from kani_npc.speech import FloatArray, Int16Array, Utterance

NOT_NUMBERS = "the model's output is not finite; its checkpoint or its dtype is unusable"

# Prompts are read so many inputs at a time: between two frames others wait for one portion at most. The cuts go by the
# prompt alone, so that its numbers do not depend on who else is there.
CPU_PORTION = 32
CUDA_PORTION = 256

# A graph looks at so many candidates at least: top-k settings beyond are rare, and get graphs of their own.
FEW_CANDIDATES = 64


@dataclass(slots=True)
class Reading:
    """A prompt on its way into a slot."""

    prompt: Prompt
    speaker_D: Tensor | None
    read: int = 0  # inputs so far


class Memory:
    """What all slots remember, and one more that nobody has: rows that a step has to spare go there."""

    def __init__(self, model: SpeechModel, num_slots: int, max_tokens: int) -> None:
        self.lm, self.layout, self.codec = model.lm, model.lm.layout, model.codec
        self.audio_step = model.lm.config.audio_step
        self.device = model.device
        self.spare = num_slots
        num_slots += 1
        self.lm_state = model.lm.init_state(num_slots, max_tokens)
        self.decoder = model.codec.streaming_decoder()
        self.decoder_state = self.decoder.init_state(num_slots)
        self.sampler = Sampler(self.layout, num_slots, self.device)
        # What sub-step 0 of the next frame feeds.
        self.next_id_S = torch.zeros(num_slots, dtype=torch.int64, device=self.device)
        self.next_position_S = torch.zeros(num_slots, device=self.device)
        self.first_audio_position_S = torch.zeros(num_slots, device=self.device)
        self.frame_S = torch.zeros(num_slots, device=self.device)


class StaticFrame:
    """A whole frame of at most B rows with fixed shapes: sub-steps, draws and sound, into one buffer.

    Runs as it is on any device; on CUDA it is captured once and replayed. Which slots the rows are is a tensor.
    """

    def __init__(self, memory: Memory, rows: int, span: int, num_candidates: int) -> None:
        self.rows, self.span, self.num_candidates = rows, span, num_candidates
        self._memory = memory
        codebooks = memory.layout.num_codebooks
        width = 2 + codebooks + memory.codec.samples_per_frame
        on_cuda = memory.device.type == "cuda"
        self._host_index_B = torch.full((rows,), memory.spare, pin_memory=on_cuda)
        self._index_B = torch.full((rows,), memory.spare, device=memory.device)
        self._out = torch.zeros(rows, width, device=memory.device)
        self._host_out = torch.zeros(rows, width, pin_memory=on_cuda)
        self._graph: torch.cuda.CUDAGraph | None = None

    def run(self, slots: Sequence[int]) -> FloatArray:
        """One frame for these slots: [len(slots), 2 + K + N], who ended and who is broken, codes, samples.

        The slots' rows of the host's books are the caller's to move on. Valid until the next run.
        """
        for row in range(self.rows):
            self._host_index_B[row] = slots[row] if row < len(slots) else self._memory.spare
        self._index_B.copy_(self._host_index_B, non_blocking=True)
        if self._graph is not None:
            self._graph.replay()
        else:
            self.compute()
        self._host_out.copy_(self._out, non_blocking=True)  # the one copy to the host
        if self._memory.device.type == "cuda":
            torch.cuda.current_stream(self._memory.device).synchronize()
        return self._host_out.numpy()[: len(slots)]

    def capture(self, pool: Any) -> None:
        """Make it a graph, of CUDA only. The slot that nobody has steps meanwhile."""
        self._index_B.fill_(self._memory.spare)
        aside = torch.cuda.Stream(self._memory.device)
        aside.wait_stream(torch.cuda.current_stream(self._memory.device))
        with torch.cuda.stream(
            aside
        ):  # libraries prepare themselves in the first runs, which no graph may hold
            for _ in range(2):
                self.compute()
        torch.cuda.current_stream(self._memory.device).wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=pool):
            self.compute()
        self._graph = graph

    @torch.inference_mode()
    def compute(self) -> None:
        """The frame itself. Nothing in here waits for the device or asks it for a value."""
        memory, index_B = self._memory, self._index_B
        layout, lm, sampler = memory.layout, memory.lm, memory.sampler
        last_code = layout.codebook_size - 1
        ids_B, position_B = memory.next_id_S[index_B], memory.next_position_S[index_B]
        frame_position_B = (
            memory.first_audio_position_S[index_B] + memory.audio_step * memory.frame_S[index_B]
        )
        codes: list[Tensor] = []
        for k in range(layout.num_codebooks):
            hidden_BH = lm.step_rows(ids_B, position_B, memory.lm_state, index_B, self.span)
            logits_BN = lm.codebook_logits(hidden_BH, k)
            codes.append(sampler.draw_rows(logits_BN, k, index_B, self.num_candidates))
            ids_B = codes[k].clamp(max=last_code) + layout.codebook_start(k)
            position_B = frame_position_B
        sampler.next_frame_rows(index_B)
        memory.next_id_S[index_B] = ids_B
        memory.next_position_S[index_B] = frame_position_B
        memory.frame_S[index_B] += 1
        memory.lm_state.lengths_S[memory.spare] = 0  # or it would be full one day
        codes_BK = torch.stack(codes, dim=1).clamp(max=last_code)
        samples_BN = memory.decoder(codes_BK[:, :, None], memory.decoder_state, index_B)
        told = (codes[0] > last_code, sampler.broken_rows(index_B))
        self._out.copy_(torch.cat((torch.stack(told, dim=1), codes_BK, samples_BN), dim=1))


class Runner:
    """`num_slots` static slots of `max_prompt_tokens` and `max_frames` each. Not thread-safe.

    At most `max_rows` step together; None is all of them. `static` runs the fixed shapes of a GPU, on a CPU too; None
    is by device. With them a step's groups are of one frame, of the rows that speak.
    """

    def __init__(
        self,
        model: SpeechModel,
        *,
        num_slots: int,
        max_prompt_tokens: int,
        max_frames: int,
        max_rows: int | None = None,
        static: bool | None = None,
    ) -> None:
        self._layout = model.lm.layout
        self._device = model.device
        on_cuda = self._device.type == "cuda"
        self._static = on_cuda if static is None else static
        max_tokens = max_prompt_tokens + self._layout.num_codebooks * max_frames
        self._memory = Memory(model, num_slots, max_tokens)
        self._portion = CUDA_PORTION if on_cuda else CPU_PORTION
        self._reading: list[Reading | None] = [None] * num_slots
        # Frames [K] that wait for sound, by slot.
        self._codes: list[list[Tensor]] = [[] for _ in range(num_slots)]

        self._frames: dict[tuple[int, int, int], StaticFrame] = {}
        self._buckets = buckets(min(max_rows or num_slots, num_slots))
        self._spans = spans(max_tokens)
        if model.lm.rows_are_independent:  # one shape: kernels are chosen by it
            self._buckets, self._spans = self._buckets[-1:], self._spans[-1:]
        # Prompts are read beside the frames. A slot's frames wait for its prompt.
        self._prompts = torch.cuda.Stream(self._device) if on_cuda else None
        self._read_events: dict[int, torch.cuda.Event] = {}
        if on_cuda:
            self._capture_all()

    def _capture_all(self) -> None:
        """Every shape that is usual. The largest first: what it leaves in the decoder's working memory fits all."""
        self._pool = torch.cuda.graph_pool_handle()
        for rows in reversed(self._buckets):
            for span in reversed(self._spans):
                self._frame(rows, span, FEW_CANDIDATES)

    @torch.inference_mode()
    def admit(self, slot: int) -> None:
        """A new guest finds a clean row: no sound before its own."""
        with self._beside_the_frames():
            self._memory.decoder_state.reset([slot])

    @torch.inference_mode()
    def begin(self, slot: int, utterance: Utterance, prompt: Prompt, piece: int) -> None:
        """The guest's next piece, whose prompt is to be read. The voice starts anew, its sound goes on."""
        memory, embedding = self._memory, utterance.voice.embedding
        self._codes[slot].clear()  # a last one, of a row that drew end_of_speech
        with self._beside_the_frames():
            speaker_D = (
                None if embedding is None else torch.tensor(embedding.vector, device=self._device)
            )
            memory.lm_state.reset([slot])
            memory.sampler.admit(slot, utterance.sampling, utterance.seed, piece, utterance.attempt)
            self._reading[slot] = Reading(prompt, speaker_D)
            memory.next_id_S[slot] = prompt.ids[-1]
            memory.next_position_S[slot] = prompt.position(0, 0, memory.audio_step)
            memory.first_audio_position_S[slot] = prompt.first_audio_position
            memory.frame_S[slot] = 0

    @torch.inference_mode()
    def read(self, slot: int) -> bool:
        """Read the next portion of the slot's prompt. True after the last: the next sub-step feeds start_of_speech."""
        reading = self._reading[slot]
        assert reading is not None, f"slot {slot} has nothing to read"
        length = reading.prompt.prefill_length
        stop = min(reading.read + self._portion, length)
        memory, prompt = self._memory, reading.prompt
        with self._beside_the_frames():
            memory.lm.prefill(prompt, reading.speaker_D, memory.lm_state, slot, reading.read, stop)
        reading.read = stop
        if stop == length:
            self._reading[slot] = None
            if self._prompts is not None:
                self._read_events[slot] = event = torch.cuda.Event()
                event.record(self._prompts)
        return stop == length

    def _beside_the_frames(self) -> "torch.cuda.StreamContext | nullcontext[None]":
        return nullcontext() if self._prompts is None else torch.cuda.stream(self._prompts)

    @torch.inference_mode()
    def run(self, plan: StepPlan) -> StepFrames:
        """A frame of codes for every slot in `speak`, then sound for `decode`; one copy to the host."""
        if self._static:
            return self._run_static(plan)
        outcome = self._speak(plan.speak)
        sounds = self._decode(plan.decode)
        parts = [outcome, *(sound_BN.flatten() for _, sound_BN in sounds)]
        host = torch.cat(parts).cpu().numpy()
        told, host = host[: len(outcome)], host[len(outcome) :]
        samples: dict[int, FloatArray] = {}
        for slots, sound_BN in sounds:
            rows: FloatArray = host[: sound_BN.numel()].reshape(sound_BN.shape)
            host = host[sound_BN.numel() :]
            samples |= zip(slots, rows, strict=True)
        return self._frames_of(
            plan, told.reshape(2 + self._layout.num_codebooks, len(plan.speak)).T, samples
        )

    def _run_static(self, plan: StepPlan) -> StepFrames:
        slots, memory = plan.speak, self._memory
        assert plan.decode == tuple((slot, 1) for slot in slots), "a captured frame is also sound"
        codebooks = self._layout.num_codebooks
        lengths = [memory.lm_state.lengths[slot] for slot in slots]
        for slot in slots:
            if (event := self._read_events.pop(slot, None)) is not None:
                torch.cuda.current_stream(self._device).wait_event(event)
        candidates = memory.sampler.widest(slots)
        frame = self._frame(
            next(rows for rows in self._buckets if rows >= len(slots)),
            next(span for span in self._spans if span >= max(lengths) + codebooks),
            max(FEW_CANDIDATES, 1 << (candidates - 1).bit_length()),
        )
        told = frame.run(slots)
        memory.sampler.note_frame(slots)
        for slot in slots:
            memory.lm_state.lengths[slot] += codebooks
        first = 2 + codebooks
        samples = {slot: row[first:] for slot, row in zip(slots, told, strict=True)}
        return self._frames_of(plan, told[:, :first], samples)

    def _frame(self, rows: int, span: int, num_candidates: int) -> StaticFrame:
        """The frame of that shape, made and captured when it is first asked for."""
        key = (rows, span, num_candidates)
        if key not in self._frames:
            frame = StaticFrame(self._memory, *key)
            if self._device.type == "cuda":
                frame.capture(self._pool)
            self._frames[key] = frame
        return self._frames[key]

    def _frames_of(
        self, plan: StepPlan, told_BX: np.ndarray, sounds: dict[int, FloatArray]
    ) -> StepFrames:
        """`told_BX` says of every row that spoke who ended, who is broken, and the codes."""
        ended = frozenset(slot for slot, row in zip(plan.speak, told_BX, strict=True) if row[0])
        failed: dict[int, KaniError] = {
            slot: EngineFailed(NOT_NUMBERS)
            for slot, row in zip(plan.speak, told_BX, strict=True)
            if row[1]
        }
        codes = dict(zip(plan.speak, told_BX[:, 2:].astype(int).tolist(), strict=True))
        samples: dict[int, Int16Array] = {}
        for slot, row in sounds.items():
            # A row that ended has codes of no frame at the end of its group; nobody hears them.
            heard = row[: -self._memory.codec.samples_per_frame] if slot in ended else row
            samples[slot] = to_int16(heard)
        return StepFrames(ended=ended, codes=codes, samples=samples, failed=failed)

    def _speak(self, slots: Sequence[int]) -> Tensor:
        """Four sub-steps: the previous token in, code k out.

        Returns who ended and who is broken, 0 or 1, and all codes, which float32 holds exactly: [(2 + K) * B].
        """
        if not slots:
            return torch.empty(0, device=self._device)
        memory = self._memory
        lm, sampler = memory.lm, memory.sampler
        slots_B = torch.tensor(slots, device=self._device)
        ids_B = memory.next_id_S[slots_B]
        position_B = memory.next_position_S[slots_B]
        # All tokens of a frame share one position, computed as in training, not summed up: rounding would differ.
        frame_position_B = (
            memory.first_audio_position_S[slots_B] + memory.audio_step * memory.frame_S[slots_B]
        )
        codes: list[Tensor] = []
        last_code = self._layout.codebook_size - 1
        for k in range(self._layout.num_codebooks):
            hidden_BH = lm.step(ids_B, position_B, memory.lm_state, slots)
            codes_B = sampler.draw(lm.codebook_logits(hidden_BH, k), k, slots)
            codes.append(codes_B)
            # A row that drew end_of_speech goes on with some code: rows stay in step, and what it says is dropped.
            ids_B = codes_B.clamp(max=last_code) + self._layout.codebook_start(k)
            position_B = frame_position_B
        sampler.next_frame(slots)
        memory.next_id_S[slots_B] = ids_B
        memory.next_position_S[slots_B] = frame_position_B
        memory.frame_S[slots_B] += 1
        codes_BK = torch.stack(codes, dim=1).clamp(max=last_code)
        for slot, codes_K in zip(slots, codes_BK, strict=True):
            self._codes[slot].append(codes_K)
        ended_B = codes[0] > last_code
        return torch.cat([ended_B, sampler.broken(slots), codes_BK.T.flatten()]).float()

    def _decode(self, decode: Sequence[tuple[int, int]]) -> list[tuple[list[int], Tensor]]:
        """Sound for groups of frames, all rows with equally long groups at once: (slots, [B, n * samples])."""
        sounds: list[tuple[list[int], Tensor]] = []
        for n in sorted({n for _, n in decode}):
            slots = [slot for slot, frames in decode if frames == n]
            codes_BKF = torch.stack([torch.stack(self._codes[slot][:n], dim=1) for slot in slots])
            for slot in slots:
                del self._codes[slot][:n]
            sounds.append((slots, self._sound(codes_BKF, slots).float()))
        return sounds

    def _sound(self, codes_BKF: Tensor, slots: list[int]) -> Tensor:
        decoder, state = self._memory.decoder, self._memory.decoder_state
        if not self._memory.lm.rows_are_independent:
            return decoder(codes_BKF, state, slots)
        # A codec's convolutions round by the size of the batch: one by one.
        alone = [decoder(codes_BKF[row, None], state, [slot]) for row, slot in enumerate(slots)]
        return torch.cat(alone)
