"""One step is one frame: 80 ms of sound for everyone who has a row.

Ties the scheduler's plan to the runner's tensors and counts the time. Knows no asyncio, no threads and no names of
voices; whoever calls it owns the thread.
"""

import logging
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from kani_npc.engine.adapters import Adaptation, bytes_per_seat, default_seats
from kani_npc.engine.messages import Event, Failed
from kani_npc.engine.model import SpeechModel
from kani_npc.engine.runner import Launched, Runner
from kani_npc.engine.scheduler import (
    Line,
    Piece,
    Read,
    Reading,
    Scheduler,
    SchedulerSettings,
    StepFrames,
    StepPlan,
)
from kani_npc.engine.watchdog import WatchdogLimits
from kani_npc.errors import EngineFailed, InvalidUtterance, KaniError, ModelError
from kani_npc.prompt import Prompt, build_prompt
from kani_npc.speech import Pace, Utterance, Voice
from kani_npc.text.numbers import say_numbers
from kani_npc.text.pieces import Pieces
from kani_npc.tokens import END_OF_TEXT, START_OF_TEXT

logger = logging.getLogger(__name__)

FAILED = "the engine failed while speaking this line; ask again"  # the log has the cause

# Several frames at a time are cheaper where a step is bound by overhead (CPU); on CUDA a step is one frame, always.
CPU_DECODE_GROUPS = (1, 1, 2, 4)
CUDA_DECODE_GROUPS = (1,)


# More rows make more sound a second, and every step longer: a newcomer waits for the one that runs.
CPU_ROWS = 8
CUDA_ROWS = 64


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """How much room there is, and how far ahead sound is made. The rest (cache bytes) is derived."""

    num_slots: int = 16  # lines at once, each with its own memory
    max_rows: int | None = None  # of them in one step; None: by device
    max_waiting: int = 64
    adapters: int | None = None  # voices with adapters that may speak at once; None: by the memory
    max_frames: int = (
        500  # a piece's longest; 40 s at 12.5 frames a second, as the published model was trained
    )
    max_prompt_tokens: int = 1024
    max_lead_s: float = 2.0  # a line is not made further ahead of who listens in real time
    max_untaken_s: float = (
        60.0  # nor of who does not take its sound: 2.6 MB that wait for a paused reader
    )
    decode_groups: Sequence[int] | None = None  # None: by device
    watchdog: WatchdogLimits | None = field(default_factory=WatchdogLimits)


def within(budget_bytes: int, model: SpeechModel, settings: EngineSettings) -> EngineSettings:
    """The same settings with as many slots as a GPU's memory holds. Raises `ModelError` where that is none."""
    if model.device.type != "cuda":
        raise ModelError(f"--vram is for a GPU; on {model.device} pass --slots")
    frames = max(settings.max_frames, model.sampling.max_frames)
    max_tokens = settings.max_prompt_tokens + model.lm.layout.num_codebooks * frames
    needs = model.memory_needs(max_tokens)
    adapters = settings.adapters or default_seats(model, budget_bytes)
    budget_bytes -= adapters * bytes_per_seat(model)
    num_slots = needs.slots_within(budget_bytes, settings.max_rows or CUDA_ROWS)
    return replace(settings, num_slots=num_slots, adapters=adapters)


@dataclass(frozen=True, slots=True)
class InFlight:
    """A step's frame that was launched and not collected yet."""

    plan: StepPlan
    launched: Launched
    since_s: float


class Engine:
    """Say when: `submit`, `append`, `taken`, `cancel`, `step`.

    On a CPU a step brings its own frame. On a GPU it brings the frame that the last one launched, and returns while the
    next is computed: what is done with the sound costs the GPU no time.
    """

    def __init__(self, model: SpeechModel, settings: EngineSettings) -> None:
        self.model = model
        # A model's own default length is always allowed.
        self.settings = replace(
            settings,
            max_frames=max(settings.max_frames, model.sampling.max_frames),
            adapters=settings.adapters or default_seats(model),
        )
        on_cuda = model.device.type == "cuda"
        by_device = CUDA_DECODE_GROUPS if on_cuda else CPU_DECODE_GROUPS
        rows = settings.max_rows or (CUDA_ROWS if on_cuda else CPU_ROWS)
        self.scheduler = Scheduler(
            SchedulerSettings(
                settings.num_slots,
                min(rows, settings.num_slots),
                settings.max_waiting,
                tuple(settings.decode_groups or by_device),
                model.info.samples_per_frame,
                model.info.sample_rate_hz,
                settings.max_lead_s,
                settings.max_untaken_s,
                settings.watchdog,
            )
        )
        self.runner = Runner(
            model,
            num_slots=settings.num_slots,
            max_prompt_tokens=settings.max_prompt_tokens,
            max_frames=self.settings.max_frames,
            max_rows=self.scheduler.settings.max_rows,
            num_adapters=self.num_adapters,
        )
        self._in_flight: InFlight | None = None

    @property
    def num_adapters(self) -> int:
        """Voices with adapters that may speak at once."""
        assert self.settings.adapters is not None  # the engine's own settings leave nothing open
        return self.settings.adapters

    @property
    def busy(self) -> bool:
        """Whether anybody is here, or a frame on its way."""
        return self.scheduler.busy or self._in_flight is not None

    @property
    def wait_s(self) -> float | None:
        """For how long a step would have nothing to do; None if only a message can change that."""
        return 0.0 if self._in_flight else self.scheduler.wait_s(time.perf_counter())

    def warm_up(self) -> None:
        """Say a few frames of nothing, alone and with every row: no listener pays for what only the first run costs,
        and the speed is known.

        Raises `EngineFailed` if that fails already: this model cannot speak.
        """
        layout, groups = self.model.lm.layout, self.scheduler.settings.decode_groups
        ids = (
            layout.start_of_human,
            END_OF_TEXT,
            layout.end_of_human,
            layout.start_of_ai,
            layout.start_of_speech,
        )
        frames = sum(groups)
        for rows in sorted({1, self.scheduler.settings.max_rows}):
            for row in range(rows):
                utterance = Utterance(
                    id=f"warm-up {row}",
                    text="",
                    voice=Voice(id="none", display_name="None"),
                    accent=None,
                    sampling=self.model.sampling.but(min_frames=frames, max_frames=frames),
                    seed=0,
                    pace=Pace.UNPACED,
                )
                line = Line(utterance, time.perf_counter(), deque([Piece("", Prompt(ids))]))
                self.scheduler.submit(line)
            while self.busy:
                for event in self.step():
                    if isinstance(event.what, Failed):
                        raise event.what.error

    def submit(
        self,
        utterance: Utterance,
        pieces: Sequence[str],
        *,
        is_open: bool,
        submitted_s: float,
        rest: Pieces | None = None,
        adaptation: Adaptation | None = None,
    ) -> None:
        """Queue an utterance. Raises `InvalidUtterance` for what this model cannot say, `Overloaded` for no room.

        Of the text only the first piece is looked at now; one later that cannot be said ends the line there. `rest`
        follows on `pieces`, each cut while the one before is read.
        """
        limit = self.settings.max_frames
        if utterance.sampling.max_frames > limit:
            raise InvalidUtterance(
                f"sampling.max_frames may be at most {limit} here", field="sampling.max_frames"
            )
        self.model.check_voice(utterance.voice)
        queue = deque(map(Piece, pieces))
        if queue:
            queue[0].prompt = self._prompt(utterance, queue[0].text)
        self.scheduler.submit(Line(utterance, submitted_s, queue, is_open, adaptation, rest))

    def append(self, utterance_id: str, pieces: Sequence[str], *, is_last: bool) -> None:
        """More text of a line that is open; one that has ended already is fine."""
        self.scheduler.append(
            utterance_id, list(map(Piece, pieces)), is_last=is_last, now_s=time.perf_counter()
        )

    def taken(self, utterance_id: str, end_sample: int) -> None:
        """A listener has taken its sound so far."""
        self.scheduler.taken(utterance_id, end_sample)

    def _prompt(self, utterance: Utterance, text: str) -> Prompt:
        tag = None if utterance.accent is None else utterance.accent.tag
        prompt = build_prompt(
            self.model.lm.layout,
            self._encode,
            say_numbers(text, utterance.language),
            tag,
            with_speaker=utterance.voice.embedding is not None,
        )
        if prompt.num_inputs > self.settings.max_prompt_tokens:
            raise InvalidUtterance(
                f"the text takes {prompt.num_inputs} tokens, more than {self.settings.max_prompt_tokens}; split "
                "it into shorter lines",
                field="text",
            )
        return prompt

    def _encode(self, text: str) -> list[int]:
        ids = self.model.tokenizer.encode(text)
        marked = max(ids) >= self.model.lm.layout.base or START_OF_TEXT in ids[1:]
        if marked or END_OF_TEXT in ids:
            # A published tokenizer knows its markers and audio tokens by their spelling too.
            raise InvalidUtterance("the text spells one of the model's own markers", field="text")
        return ids

    def cancel(self, utterance_id: str) -> None:
        """Stop an utterance, wherever it is; one that ended already is fine."""
        self.scheduler.cancel(utterance_id)

    def wait(self) -> None:
        """Until the frame in flight is there. Who comes or goes meanwhile does so before the next one."""
        if self._in_flight is not None:
            # The step that collects it meets a failure again, and says whose it was.
            with suppress(Exception):
                self._in_flight.launched.wait()

    def step(self) -> list[Event]:
        """80 ms of sound for everyone on the plan. A failure ends the streams it touched, and is not raised."""
        events = self._collect()  # the frame in flight: the plan of the next follows from it
        now_s = time.perf_counter()
        if events and self.scheduler.has_readings(now_s):
            return events  # no sound waits for another line's prompt
        events += self.scheduler.admit(now_s)  # who gets a slot, who comes too late
        for reading in self.scheduler.readings(now_s):  # prompts, a portion at a time
            events += self.scheduler.note_reading(reading, self._read(reading))
        events += self._launch(self.scheduler.plan(now_s))  # four codes a row, 1764 samples a frame
        if not self.runner.overlaps:
            events += self._collect()  # Audio, Finished, Failed
        return events

    def fail_all(self, error: KaniError) -> list[Event]:
        """End everybody, waiting or speaking, with one error."""
        return [Event(utterance_id, Failed(error)) for utterance_id in self.scheduler.clear()]

    def _read(self, reading: Reading) -> Read:
        """One guest at a time: one that fails fails alone."""
        started_s = time.perf_counter()
        slot, piece, line = reading.slot, reading.piece, reading.line
        try:
            if reading.is_guest_new:
                self.runner.admit(slot, line.adaptation)  # finds a clean row
            if reading.is_piece_new:
                piece.prompt = piece.prompt or self._prompt(line.utterance, piece.text)
                self.runner.begin(slot, line.utterance, piece.prompt, reading.index)
                line.cut()  # what follows is known before this one ends
            is_whole = self.runner.read(slot)
        except KaniError as error:
            return Read(error=error)
        except Exception:
            logger.exception("a prompt of utterance %s could not be read", line.utterance.id)
            return Read(error=EngineFailed(FAILED))
        return Read(is_whole, seconds=time.perf_counter() - started_s)

    def _launch(self, plan: StepPlan) -> list[Event]:
        """Begin the batched part."""
        if not plan.slots:
            return []
        since_s = time.perf_counter()
        try:
            self._in_flight = InFlight(plan, self.runner.launch(plan), since_s)
        except Exception:
            return self._lost(plan)
        return []

    def _collect(self) -> list[Event]:
        """End it: its time is shared evenly, its failure takes everyone on the plan."""
        if self._in_flight is None:
            return []
        frame, self._in_flight = self._in_flight, None
        try:
            frames = self.runner.collect(frame.launched)
        except Exception:
            return self._lost(frame.plan)
        now_s = time.perf_counter()
        share_s = (now_s - frame.since_s) / len(frame.plan.slots)
        frames = replace(frames, compute_s=dict.fromkeys(frame.plan.slots, share_s))
        return self.scheduler.commit(frame.plan, frames, now_s)

    def _lost(self, plan: StepPlan) -> list[Event]:
        logger.exception("a step failed; its %d utterances are lost", len(plan.slots))
        failed = StepFrames(failed={slot: EngineFailed(FAILED) for slot in plan.slots})
        return self.scheduler.commit(plan, failed, time.perf_counter())
