"""One step is one frame: 80 ms of sound for everyone who has a slot.

Ties the scheduler's plan to the runner's tensors and counts the time. Knows no asyncio, no threads and no names of
voices; whoever calls it owns the thread.
"""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from kani_npc.engine.messages import Event, Failed
from kani_npc.engine.model import SpeechModel
from kani_npc.engine.runner import Runner
from kani_npc.engine.scheduler import Line, Scheduler, StepFrames, StepPlan
from kani_npc.errors import EngineFailed, InvalidUtterance, KaniError
from kani_npc.prompt import Prompt, build_prompt
from kani_npc.speech import Utterance, Voice
from kani_npc.tokens import END_OF_TEXT, START_OF_TEXT

logger = logging.getLogger(__name__)

FAILED = "the engine failed while speaking this line; ask again"  # the log has the cause

# Several frames at a time are cheaper where a step is bound by overhead (CPU); on CUDA a step is one frame, always.
CPU_DECODE_GROUPS = (1, 1, 2, 4)
CUDA_DECODE_GROUPS = (1,)


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """How much room there is. The rest (cache bytes, rows) is derived."""

    num_slots: int = 8
    max_waiting: int = 64
    max_frames: int = 500  # an utterance's longest; 40 s at 12.5 frames a second, as the published model was trained
    max_prompt_tokens: int = 1024
    decode_groups: Sequence[int] | None = None  # None: by device


class Engine:
    """Say when: `submit`, `cancel`, `step`."""

    def __init__(self, model: SpeechModel, settings: EngineSettings) -> None:
        self.model = model
        # A model's own default length is always allowed.
        self.settings = replace(
            settings, max_frames=max(settings.max_frames, model.sampling.max_frames)
        )
        by_device = CUDA_DECODE_GROUPS if model.device.type == "cuda" else CPU_DECODE_GROUPS
        self.scheduler = Scheduler(
            settings.num_slots,
            max_waiting=settings.max_waiting,
            decode_groups=settings.decode_groups or by_device,
            samples_per_frame=model.codec.samples_per_frame,
        )
        self.runner = Runner(
            model,
            num_slots=settings.num_slots,
            max_prompt_tokens=settings.max_prompt_tokens,
            max_frames=self.settings.max_frames,
        )

    @property
    def busy(self) -> bool:
        """Whether a step would do anything."""
        return self.scheduler.busy

    def warm_up(self) -> None:
        """Say a few frames of nothing, so that no listener pays for what only the first run costs.

        Raises `EngineFailed` if that fails already: this model cannot speak.
        """
        layout, frames = self.model.lm.layout, sum(self.scheduler.decode_groups)
        ids = (
            layout.start_of_human,
            END_OF_TEXT,
            layout.end_of_human,
            layout.start_of_ai,
            layout.start_of_speech,
        )
        utterance = Utterance(
            id="warm-up",
            text="",
            voice=Voice(id="none", display_name="None"),
            accent=None,
            sampling=self.model.sampling.but(min_frames=frames, max_frames=frames),
            seed=0,
        )
        self.scheduler.submit(Line(utterance, Prompt(ids), time.perf_counter()))
        while self.busy:
            for event in self.step():
                if isinstance(event.what, Failed):
                    raise event.what.error

    def submit(self, utterance: Utterance, submitted_s: float) -> None:
        """Queue an utterance. Raises `InvalidUtterance` for what this model cannot say, `Overloaded` for no room."""
        limit = self.settings.max_frames
        if utterance.sampling.max_frames > limit:
            raise InvalidUtterance(
                f"sampling.max_frames may be at most {limit} here", field="sampling.max_frames"
            )
        self.model.check_voice(utterance.voice)
        tag = None if utterance.accent is None else utterance.accent.tag
        prompt = build_prompt(
            self.model.lm.layout,
            self._encode,
            utterance.text,
            tag,
            with_speaker=utterance.voice.embedding is not None,
        )
        if prompt.num_inputs > self.settings.max_prompt_tokens:
            raise InvalidUtterance(
                f"the text takes {prompt.num_inputs} tokens, more than {self.settings.max_prompt_tokens}; split "
                "it into shorter lines",
                field="text",
            )
        self.scheduler.submit(Line(utterance, prompt, submitted_s))

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

    def step(self) -> list[Event]:
        """80 ms of sound for everyone on the plan. A failure ends the streams it touched, and is not raised."""
        plan = self.scheduler.plan(
            time.perf_counter()
        )  # who is admitted, who speaks, whose codes become sound
        frames = self._admit(plan)  # a new guest finds a clean row, and its prompt is read
        frames = frames.plus(
            self._run(plan.without(frames.failed))
        )  # four codes a row, 1764 samples a decoded frame
        return self.scheduler.commit(plan, frames, time.perf_counter())  # Audio, Finished, Failed

    def fail_all(self, error: KaniError) -> list[Event]:
        """End everybody, waiting or speaking, with one error."""
        return [Event(utterance_id, Failed(error)) for utterance_id in self.scheduler.clear()]

    def _admit(self, plan: StepPlan) -> StepFrames:
        """Prefill, one guest at a time: one that fails fails alone."""
        frames = StepFrames()
        for admitted in plan.admitted:
            started_s = time.perf_counter()
            try:
                line = admitted.line
                self.runner.admit(admitted.slot)
                self.runner.begin(admitted.slot, line.utterance, line.prompt, piece=0)
                while not self.runner.read(admitted.slot):
                    pass
            except Exception:
                id = admitted.line.utterance.id
                logger.exception("the prompt of utterance %s could not be read", id)
                frames.failed[admitted.slot] = EngineFailed(FAILED)
            frames.compute_s[admitted.slot] = time.perf_counter() - started_s
        return frames

    def _run(self, plan: StepPlan) -> StepFrames:
        """The batched part: its time is shared evenly, its failure takes everyone on the plan."""
        if not plan.slots:
            return StepFrames()
        started_s = time.perf_counter()
        try:
            frames = self.runner.run(plan)
        except Exception:
            logger.exception("a step failed; its %d utterances are lost", len(plan.slots))
            return StepFrames(failed={slot: EngineFailed(FAILED) for slot in plan.slots})
        share_s = (time.perf_counter() - started_s) / len(plan.slots)
        return replace(frames, compute_s=dict.fromkeys(plan.slots, share_s))
