"""Turns a plan into tensors and back: prefills prompts, runs a frame for every row, decodes codes to sound.

Owns everything a slot remembers: language-model state, decoder state, sampler state, codes not decoded yet. The one
home of device copies; one of them a step. Knows no queue, no clock, and no utterance but as ids and numbers.

Two ways through a step, which say the same (a test compares them):
  on a CPU    shapes go by what the rows hold, and several frames of a row may become sound at once
  on a GPU    fixed shapes (`StaticFrame`), one captured graph for each; prompts are read on a stream of their own,
              and a frame is only launched: what it says is collected later, from one of two pinned buffers

Rows whose voices have adapters of their own step with the others (`lm.adapters`); sound is made for all rows of one
decoder at once.

Shapes: S slots, B rows, K codebooks, F frames, N samples.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import torch
from torch import Tensor

from kani_npc.audio import to_int16
from kani_npc.codec.protocol import StreamingDecoder
from kani_npc.engine.adapters import Adaptation
from kani_npc.engine.cores import FasterThreads
from kani_npc.engine.memory import buckets, spans
from kani_npc.engine.model import SpeechModel
from kani_npc.engine.scheduler import StepFrames, StepPlan
from kani_npc.errors import EngineFailed, KaniError
from kani_npc.lm.adapters import AdapterBank
from kani_npc.lm.independent import may_step_together
from kani_npc.lm.sampler import Sampler
from kani_npc.lm.upload import upload
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

    def __init__(
        self, model: SpeechModel, num_slots: int, max_tokens: int, num_adapters: int
    ) -> None:
        self.lm, self.layout, self.codec = model.lm, model.lm.layout, model.codec
        self.audio_step = model.lm.config.audio_step
        self.device = model.device
        # What a row of a captured frame says: whether it ended, whether it is broken, codes, samples.
        self.frame_width = 2 + self.layout.num_codebooks + model.codec.samples_per_frame
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
        # Seats in the bank, 0 for none, and whether the sound is made by a decoder of its own.
        self.adapters = AdapterBank(model.lm, num_adapters)
        self.seats = [0] * num_slots
        self.seat_S = torch.zeros(num_slots, dtype=torch.int64, device=self.device)
        self.is_tuned_S = torch.zeros(num_slots, dtype=torch.bool, device=self.device)


class HostBuffers:
    """One frame's way to the device and back, in pinned memory: neither copy waits for the device."""

    def __init__(self, rows: int, memory: Memory) -> None:
        on_cuda = memory.device.type == "cuda"
        self._index_B = torch.zeros(rows, dtype=torch.int64, pin_memory=on_cuda)
        self._out_BX = torch.zeros(rows, memory.frame_width, pin_memory=on_cuda)
        self._arrived = torch.cuda.Event() if on_cuda else None

    def index_of(self, slots: Sequence[int], rows: int, spare: int) -> Tensor:
        """Which slots the rows of a frame are."""
        self._index_B[:rows] = torch.tensor([*slots, *[spare] * (rows - len(slots))])
        return self._index_B[:rows]

    def take(self, out_BX: Tensor) -> FloatArray:
        """Begin the one copy to the host: [B, 2 + K + N], of this frame after `wait`."""
        out = self._out_BX[: len(out_BX)].copy_(out_BX, non_blocking=True)
        if self._arrived is not None:
            self._arrived.record(torch.cuda.current_stream(out_BX.device))
        return out.numpy()

    def wait(self) -> None:
        """Until what was taken is here."""
        if self._arrived is not None:
            self._arrived.synchronize()


@dataclass(frozen=True, slots=True)
class Launched:
    """A step's frame on its way. The arrays are filled when `host` has arrived; without one, they are already."""

    slots: tuple[int, ...]  # by row
    told_BX: FloatArray  # [B, 2 + K]: who ended and who is broken, 0 or 1, and codes
    samples: dict[int, FloatArray]
    host: HostBuffers | None = None

    def wait(self) -> None:
        """Until the frame is there."""
        if self.host is not None:
            self.host.wait()


class StaticFrame:
    """A whole frame of at most B rows with fixed shapes: sub-steps, draws and sound, into one buffer.

    Runs as it is on any device; on CUDA it is captured once and replayed. Which slots the rows are is a tensor. Rows
    may have adapters of the first `num_seats` seats. Rows with decoders of their own get the spare slot's sound here.
    """

    def __init__(
        self, memory: Memory, rows: int, span: int, num_candidates: int, num_seats: int = 0
    ) -> None:
        self.rows, self.span, self.num_candidates = rows, span, num_candidates
        self.num_seats = num_seats
        self._memory = memory
        self.index_B = torch.full((rows,), memory.spare, device=memory.device)
        self.out_BX = torch.zeros(rows, memory.frame_width, device=memory.device)
        self._graph: torch.cuda.CUDAGraph | None = None

    def run(self, slots: Sequence[int], host: "HostBuffers") -> None:
        """One frame for these slots: the first rows of `out_BX` [rows, 2 + K + N] are who ended and who is broken,
        codes, samples. Waits for nothing; the host's books are the caller's to move on.
        """
        self.index_B.copy_(host.index_of(slots, self.rows, self._memory.spare), non_blocking=True)
        if self._graph is not None:
            self._graph.replay()
        else:
            self.compute()

    def capture(self, pool: Any, aside: "torch.cuda.Stream") -> None:
        """Make it a graph, of CUDA only. The slot that nobody has steps meanwhile.

        `aside` is for captures alone: a graph keeps its stream's working memory of cuBLAS.
        """
        self.index_B.fill_(self._memory.spare)
        aside.wait_stream(torch.cuda.current_stream(self._memory.device))
        with torch.cuda.stream(
            aside
        ):  # libraries prepare themselves in the first runs, which no graph may hold
            for _ in range(2):
                self.compute()
        torch.cuda.current_stream(self._memory.device).wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        # Other threads may be making a voice's decoder meanwhile.
        with torch.cuda.graph(graph, pool, aside, capture_error_mode="thread_local"):
            self.compute()
        self._graph = graph

    @torch.inference_mode()
    def compute(self) -> None:
        """The frame itself. Nothing in here waits for the device or asks it for a value."""
        memory, index_B = self._memory, self.index_B
        layout, lm, sampler = memory.layout, memory.lm, memory.sampler
        last_code = layout.codebook_size - 1
        ids_B, position_B = memory.next_id_S[index_B], memory.next_position_S[index_B]
        frame_position_B = (
            memory.first_audio_position_S[index_B] + memory.audio_step * memory.frame_S[index_B]
        )
        codes: list[Tensor] = []
        adapted = nullcontext()
        if self.num_seats:
            adapted = memory.adapters.applied_to(memory.seat_S[index_B], self.num_seats)
        with adapted:
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
        sound_B = torch.where(memory.is_tuned_S[index_B], memory.spare, index_B)
        samples_BN = memory.decoder(codes_BK[:, :, None], memory.decoder_state, sound_B)
        told = (codes[0] > last_code, sampler.broken_rows(index_B))
        self.out_BX.copy_(torch.cat((torch.stack(told, dim=1), codes_BK, samples_BN), dim=1))


class Runner:
    """`num_slots` static slots of `max_prompt_tokens` and `max_frames` each. Not thread-safe.

    At most `max_rows` step together; None is all of them. `static` runs the fixed shapes of a GPU, on a CPU too; None
    is by device. With them a step's groups are of one frame, of the rows that speak. `overlaps` says that a frame is
    better collected when the next one is due: its caller has things to do while the device computes.
    """

    def __init__(
        self,
        model: SpeechModel,
        *,
        num_slots: int,
        max_prompt_tokens: int,
        max_frames: int,
        max_rows: int | None = None,
        num_adapters: int = 1,
        static: bool | None = None,
        overlaps: bool | None = None,
    ) -> None:
        self._layout = model.lm.layout
        self._device = model.device
        on_cuda = self._device.type == "cuda"
        self._static = on_cuda if static is None else static
        self.overlaps = on_cuda if overlaps is None else overlaps
        max_tokens = max_prompt_tokens + self._layout.num_codebooks * max_frames
        self._memory = Memory(model, num_slots, max_tokens, num_adapters)
        self._loaded: list[Adaptation | None] = [None] * (1 + num_adapters)  # by seat
        self._decoders: list[StreamingDecoder] = [self._memory.decoder] * num_slots
        self._portion = CUDA_PORTION if on_cuda else CPU_PORTION
        self._reading: list[Reading | None] = [None] * num_slots
        # Frames [K] that wait for sound, by slot.
        self._codes: list[list[Tensor]] = [[] for _ in range(num_slots)]

        # A model that never takes more than one needs no choice; one that must say the same bits makes none.
        chooses = model.max_threads is None and not model.lm.rows_are_independent
        self._faster = FasterThreads() if chooses and not self._static else None

        self._frames: dict[tuple[int, int, int, int], StaticFrame] = {}
        self._buckets = buckets(min(max_rows or num_slots, num_slots))
        self._spans = spans(max_tokens)
        if model.lm.rows_are_independent:  # one shape: kernels are chosen by it
            self._buckets, self._spans = self._buckets[-1:], self._spans[-1:]
        # Two in turns: while one frame's rows are read, the next one's arrive elsewhere.
        self._hosts = cycle([HostBuffers(self._buckets[-1], self._memory) for _ in range(2)])
        # Prompts are read beside the frames. A slot's frames wait for its prompt.
        self._prompts = torch.cuda.Stream(self._device) if on_cuda else None
        self._read_events: dict[int, torch.cuda.Event] = {}
        if on_cuda:
            self._capture_all()

    def _capture_all(self) -> None:
        """Every shape that is usual. The largest first: what it leaves in the decoder's working memory fits all."""
        self._pool = torch.cuda.graph_pool_handle()
        # One for all: torch has 32 streams and begins anew, and one of them is the prompts'.
        self._captures = torch.cuda.Stream(self._device)
        for rows in reversed(self._buckets):
            for span in reversed(self._spans):
                self._frame(rows, span, FEW_CANDIDATES, 0)

    @torch.inference_mode()
    def admit(self, slot: int, adaptation: Adaptation | None = None) -> None:
        """A new guest finds a clean row: no sound before its own. With what its voice changes in the model, in a seat
        that no other voice's guest has."""
        memory = self._memory
        decoder = lora = None
        if adaptation is not None:
            decoder, lora = adaptation.decoder, adaptation.lora
        with self._beside_the_frames():
            memory.decoder_state.reset([slot])
            if adaptation is not None and lora is not None:
                if self._loaded[adaptation.seat] is not adaptation:
                    memory.adapters.load(adaptation.seat, lora)
                    self._loaded[adaptation.seat] = adaptation
                memory.seats[slot] = adaptation.seat
            else:
                memory.seats[slot] = 0
            memory.seat_S[slot] = memory.seats[slot]
            memory.is_tuned_S[slot] = decoder is not None
        self._decoders[slot] = decoder or memory.decoder

    @torch.inference_mode()
    def begin(self, slot: int, utterance: Utterance, prompt: Prompt, piece: int) -> None:
        """The guest's next piece, whose prompt is to be read. The voice starts anew, its sound goes on."""
        memory, embedding = self._memory, utterance.voice.embedding
        self._codes[slot].clear()  # a last one, of a row that drew end_of_speech
        with self._beside_the_frames():
            speaker_D = (
                None if embedding is None else upload(torch.tensor(embedding.vector), self._device)
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
        seat = memory.seats[slot]
        adapted = memory.adapters.applied([seat]) if seat else nullcontext()
        with self._beside_the_frames(), adapted:
            memory.lm.prefill(prompt, reading.speaker_D, memory.lm_state, slot, reading.read, stop)
        reading.read = stop
        if stop == length:
            self._reading[slot] = None
            if self._prompts is not None:
                self._read_events[slot] = event = torch.cuda.Event()
                event.record(self._prompts)
        return stop == length

    def _beside_the_frames(self) -> "torch.cuda.StreamContext | nullcontext[None]":
        if self._prompts is None:
            return nullcontext()
        # A slot's last guest may have left something to do there: the sampler's next random numbers follow on a frame
        # that is collected already, and a step that failed was not collected.
        self._prompts.wait_stream(torch.cuda.current_stream(self._device))
        return torch.cuda.stream(self._prompts)

    def run(self, plan: StepPlan) -> StepFrames:
        """A frame of codes for every slot in `speak`, then sound for `decode`; one copy to the host."""
        return self.collect(self.launch(plan))

    @torch.inference_mode()
    def launch(self, plan: StepPlan) -> Launched:
        """Begin the step. On a GPU its work is queued and nothing is waited for; at most two frames may be on their
        way, to be collected in order."""
        if self._static:
            return self._launch_static(plan)
        with self._threads_for(len(plan.speak)):
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
        told_BX = told.reshape(2 + self._layout.num_codebooks, len(plan.speak)).T
        return Launched(plan.speak, told_BX, samples)

    def _launch_static(self, plan: StepPlan) -> Launched:
        assert plan.decode == tuple((slot, 1) for slot in plan.speak), (
            "a captured frame is also sound"
        )
        memory, codebooks = self._memory, self._layout.num_codebooks
        # Rows of one decoder lie side by side: a slice of what the device has.
        groups = self._by_decoder(plan.speak)
        slots = tuple(slot for _, group in groups for slot in group)
        lengths = [memory.lm_state.lengths[slot] for slot in slots]
        for slot in slots:
            if (event := self._read_events.pop(slot, None)) is not None:
                torch.cuda.current_stream(self._device).wait_event(event)
        candidates = memory.sampler.widest(slots)
        frame = self._frame(
            next(rows for rows in self._buckets if rows >= len(slots)),
            next(span for span in self._spans if span >= max(lengths) + codebooks),
            max(FEW_CANDIDATES, 1 << (candidates - 1).bit_length()),
            self._num_seats(slots),
        )
        host, first, row = next(self._hosts), 2 + codebooks, 0
        frame.run(slots, host)
        for decoder, group in groups:
            rows = slice(row, row + len(group))
            row = rows.stop
            if decoder is not memory.decoder:
                codes_BK1 = frame.out_BX[rows, 2:first, None].long()
                frame.out_BX[rows, first:] = self._sound(decoder, codes_BK1, frame.index_B[rows])
        out_BX = host.take(frame.out_BX[: len(slots)])
        memory.sampler.note_frame(slots)
        for slot in slots:
            memory.lm_state.lengths[slot] += codebooks
        samples = {slot: row_X[first:] for slot, row_X in zip(slots, out_BX, strict=True)}
        return Launched(slots, out_BX[:, :first], samples, host)

    def collect(self, launched: Launched) -> StepFrames:
        """What the step brought, when it is there. Nothing of it is overwritten by a later one."""
        launched.wait()
        rows = list(zip(launched.slots, launched.told_BX, strict=True))
        ended = frozenset(slot for slot, row in rows if row[0])
        failed: dict[int, KaniError] = {
            slot: EngineFailed(NOT_NUMBERS) for slot, row in rows if row[1]
        }
        codes = {slot: row[2:].astype(int).tolist() for slot, row in rows}
        samples: dict[int, Int16Array] = {}
        for slot, sound in launched.samples.items():
            # A row that ended has codes of no frame at the end of its group; nobody hears them.
            heard = sound[: -self._memory.codec.samples_per_frame] if slot in ended else sound
            samples[slot] = to_int16(heard)
        return StepFrames(ended=ended, codes=codes, samples=samples, failed=failed)

    def _num_seats(self, slots: Sequence[int]) -> int:
        """Up to which seat a frame of these slots must look: a power of two, to be few shapes."""
        last = max((self._memory.seats[slot] for slot in slots), default=0)
        if last == 0:
            return 0
        most = self._memory.adapters.num_seats
        if self._memory.lm.rows_are_independent:  # one shape
            return most
        return min(most, 1 << (last - 1).bit_length())

    def _frame(self, rows: int, span: int, num_candidates: int, num_seats: int) -> StaticFrame:
        """The frame of that shape, made and captured when it is first asked for."""
        key = (rows, span, num_candidates, num_seats)
        if key not in self._frames:
            frame = StaticFrame(self._memory, *key)
            if self._device.type == "cuda":
                frame.capture(self._pool, self._captures)
            self._frames[key] = frame
        return self._frames[key]

    @contextmanager
    def _threads_for(self, rows: int) -> Iterator[None]:
        """As many threads as make a frame soonest, of those that whoever runs this has, who gets them back."""
        most = torch.get_num_threads()
        if self._faster is None or most == 1 or not rows:
            yield
            return
        torch.set_num_threads(self._faster.choose(most, rows))
        started_s = time.perf_counter()
        try:
            yield
            self._faster.note(time.perf_counter() - started_s)
        finally:
            torch.set_num_threads(most)

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
            hidden_BH = self._step(ids_B, position_B, slots)
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

    def _step(self, ids_B: Tensor, position_B: Tensor, slots: Sequence[int]) -> Tensor:
        """One token for each slot, with its adapter: hidden [B, H]."""
        memory = self._memory
        lm, bank = memory.lm, memory.adapters
        seats = [memory.seats[slot] for slot in slots]
        if not any(seats):
            return lm.step(ids_B, position_B, memory.lm_state, slots)
        if not lm.rows_are_independent or may_step_together(lm):
            with bank.applied(seats):
                return lm.step(ids_B, position_B, memory.lm_state, slots)
        alone: list[Tensor] = []
        for row, (slot, seat) in enumerate(zip(slots, seats, strict=True)):
            with bank.applied([seat]):
                one = slice(row, row + 1)
                alone.append(lm.step(ids_B[one], position_B[one], memory.lm_state, [slot]))
        return torch.cat(alone)

    def _decode(self, decode: Sequence[tuple[int, int]]) -> list[tuple[list[int], Tensor]]:
        """Sound for groups of frames, all rows with equally long groups and one decoder at once:
        (slots, [B, n * samples])."""
        sounds: list[tuple[list[int], Tensor]] = []
        for n in sorted({n for _, n in decode}):
            for decoder, slots in self._by_decoder(
                [slot for slot, frames in decode if frames == n]
            ):
                codes_BKF = torch.stack(
                    [torch.stack(self._codes[slot][:n], dim=1) for slot in slots]
                )
                for slot in slots:
                    del self._codes[slot][:n]
                sounds.append((slots, self._sound(decoder, codes_BKF, slots).float()))
        return sounds

    def _by_decoder(self, slots: Sequence[int]) -> list[tuple[StreamingDecoder, list[int]]]:
        groups: dict[StreamingDecoder, list[int]] = {}
        for slot in slots:
            groups.setdefault(self._decoders[slot], []).append(slot)
        return list(groups.items())

    def _sound(
        self, decoder: StreamingDecoder, codes_BKF: Tensor, slots: list[int] | Tensor
    ) -> Tensor:
        # A codec's decoders have states of one form: what they remember are inputs, not weights.
        state = self._memory.decoder_state
        if not self._memory.lm.rows_are_independent:
            return decoder(codes_BKF, state, slots)
        # A codec's convolutions round by the size of the batch: one by one.
        rows = [slice(row, row + 1) for row in range(len(slots))]
        return torch.cat([decoder(codes_BKF[row], state, slots[row]) for row in rows])
