"""Decides who gets a slot and who steps next.

Integers and lists only: no tensors, no clocks, no sockets. Times are numbers that it is given. Not thread-safe; the
engine thread owns it.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from kani_npc.engine.messages import Event, Failed
from kani_npc.errors import KaniError, Overloaded
from kani_npc.prompt import Prompt
from kani_npc.speech import Audio, Finished, FinishReason, Int16Array, PcmChunk, Utterance

FIRST_GUESS_S = 1.0  # how long an utterance holds its slot, until one has been measured


@dataclass(frozen=True, slots=True)
class Line:
    """An utterance on its way through the engine: what is said, and the ids that say it."""

    utterance: Utterance
    prompt: Prompt
    submitted_s: float


@dataclass(frozen=True, slots=True)
class Admitted:
    """A guest and the slot that was granted."""

    slot: int
    line: Line


@dataclass(frozen=True, slots=True)
class StepPlan:
    """One step. A slot is in `decode` for a frame of this very step too, so its group may turn out one shorter."""

    admitted: tuple[Admitted, ...] = ()
    speak: tuple[int, ...] = ()  # slots that run their sub-steps: one more frame of codes each
    decode: tuple[tuple[int, int], ...] = ()  # (slot, n): its next n frames of codes become sound

    @property
    def slots(self) -> tuple[int, ...]:
        """Every slot that has work in this step."""
        return tuple(dict.fromkeys((*self.speak, *(slot for slot, _ in self.decode))))

    def without(self, slots: Mapping[int, object]) -> "StepPlan":
        """The same step for the others."""
        if not slots:
            return self
        return StepPlan(
            tuple(admitted for admitted in self.admitted if admitted.slot not in slots),
            tuple(slot for slot in self.speak if slot not in slots),
            tuple((slot, n) for slot, n in self.decode if slot not in slots),
        )


@dataclass(frozen=True, slots=True)
class StepFrames:
    """What came of a plan, by slot."""

    ended: frozenset[int] = frozenset()  # drew end_of_speech instead of a frame
    samples: dict[int, Int16Array] = field(default_factory=dict)  # whole frames
    failed: dict[int, KaniError] = field(default_factory=dict)  # are lost
    compute_s: dict[int, float] = field(default_factory=dict)  # their shares of the step's time

    def plus(self, later: "StepFrames") -> "StepFrames":
        """Both parts of a step together."""
        compute_s = self.compute_s | {
            slot: self.compute_s.get(slot, 0.0) + seconds
            for slot, seconds in later.compute_s.items()
        }
        return StepFrames(
            self.ended | later.ended,
            self.samples | later.samples,
            self.failed | later.failed,
            compute_s,
        )


@dataclass(slots=True)
class SlotState:
    """Who sits in a slot, and how far along."""

    line: Line
    started_s: float
    spoken: int = 0  # frames of codes
    decoded: int = 0  # frames of sound
    groups: int = 0  # decoding groups so far
    reason: FinishReason | None = None  # set once there will be no more codes
    compute_s: float = 0.0
    first_audio_s: float | None = None

    @property
    def frames_left(self) -> int:
        return self.line.utterance.sampling.max_frames - self.spoken


class Scheduler:
    """First come, first served, into `num_slots` slots; one row for each slot.

    `decode_groups` says how many frames of a stream become sound at a time: (1, 1, 2, 4) is one, one, two, then four
    ever after. Groups go by frame index and not by the clock, so a line's samples do not depend on the machine's mood.
    Several frames at a time are cheaper on a CPU (full-size codec on two cores, measured: 61 ms for one, 108 ms for
    four); the first ones come alone so that sound starts at once.
    """

    def __init__(
        self,
        num_slots: int,
        *,
        max_waiting: int,
        decode_groups: Sequence[int],
        samples_per_frame: int,
    ) -> None:
        assert num_slots > 0 and max_waiting >= 0 and decode_groups and min(decode_groups) > 0
        self.max_waiting = max_waiting
        self.decode_groups = tuple(decode_groups)
        self._samples_per_frame = samples_per_frame
        self._waiting: deque[Line] = deque()
        self._slots: list[SlotState | None] = [None] * num_slots
        self._mean_stay_s = FIRST_GUESS_S

    @property
    def num_slots(self) -> int:
        return len(self._slots)

    @property
    def active(self) -> int:
        """Slots with somebody in them."""
        return sum(state is not None for state in self._slots)

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    @property
    def busy(self) -> bool:
        return bool(self._waiting) or any(state is not None for state in self._slots)

    def submit(self, line: Line) -> None:
        """Queue a line. Raises `Overloaded` where nobody more may wait, guessing when it is worth asking again."""
        free = self.num_slots - self.active
        if len(self._waiting) >= self.max_waiting + free:
            raise Overloaded(
                f"all {self.num_slots} slots speak and {len(self._waiting)} utterances wait; try again later",
                retry_after_s=round(
                    self._mean_stay_s / self.num_slots * (len(self._waiting) + 1), 3
                ),
            )
        self._waiting.append(line)

    def cancel(self, utterance_id: str) -> bool:
        """Forget an utterance, waiting or speaking; its slot is free for the next plan. False if it is not here."""
        for slot, state in enumerate(self._slots):
            if state is not None and state.line.utterance.id == utterance_id:
                self._slots[slot] = None
                return True
        for line in self._waiting:
            if line.utterance.id == utterance_id:
                self._waiting.remove(line)
                return True
        return False

    def clear(self) -> list[str]:
        """Forget everybody; the ids of those who were here."""
        ids = [state.line.utterance.id for state in self._slots if state is not None]
        ids += [line.utterance.id for line in self._waiting]
        self._slots = [None] * self.num_slots
        self._waiting.clear()
        return ids

    def plan(self, now_s: float) -> StepPlan:
        """The next step: fill free slots from the queue, one frame for everyone who speaks, sound for full groups."""
        admitted: list[Admitted] = []
        speak: list[int] = []
        decode: list[tuple[int, int]] = []
        for slot, state in enumerate(self._slots):
            if state is None:
                if not self._waiting:
                    continue
                state = self._slots[slot] = SlotState(self._waiting.popleft(), started_s=now_s)
                admitted.append(Admitted(slot, state.line))
            if state.reason is None:
                speak.append(slot)
            pending = state.spoken - state.decoded + (state.reason is None)
            last = state.reason is not None or state.frames_left == 1
            group = self.decode_groups[min(state.groups, len(self.decode_groups) - 1)]
            if pending >= group or last:
                decode.append((slot, min(pending, group)))
        return StepPlan(tuple(admitted), tuple(speak), tuple(decode))

    def commit(self, plan: StepPlan, frames: StepFrames, now_s: float) -> list[Event]:
        """Book what the step brought; what the listeners are to hear of it. Slots of ended utterances are free now."""
        events: list[Event] = []
        for slot, error in frames.failed.items():
            events.append(Event(self._state(slot).line.utterance.id, Failed(error)))
            self._slots[slot] = None
        done = plan.without(frames.failed)
        for slot, seconds in frames.compute_s.items():
            if slot not in frames.failed:
                self._state(slot).compute_s += seconds
        for slot in done.speak:
            state = self._state(slot)
            if slot in frames.ended:
                state.reason = FinishReason.END_OF_SPEECH
            else:
                state.spoken += 1
                if state.frames_left == 0:
                    state.reason = FinishReason.MAX_FRAMES
        for slot, _ in done.decode:
            events += self._sound(self._state(slot), frames.samples.get(slot), now_s)
        for slot in done.slots:
            state = self._state(slot)
            if state.reason is not None and state.decoded == state.spoken:
                events.append(self._finish(state, state.reason, now_s))
                self._slots[slot] = None
        return events

    def _sound(self, state: SlotState, samples: Int16Array | None, now_s: float) -> list[Event]:
        state.groups += 1
        if samples is None or not len(samples):  # a group of one whose row ended instead
            return []
        if state.first_audio_s is None:
            state.first_audio_s = now_s
        chunk = PcmChunk(samples, first_sample=state.decoded * self._samples_per_frame)
        state.decoded += len(samples) // self._samples_per_frame
        return [Event(state.line.utterance.id, Audio(chunk))]

    def _finish(self, state: SlotState, reason: FinishReason, now_s: float) -> Event:
        # A running mean that forgets: the next guess of how long a slot is held.
        self._mean_stay_s += 0.2 * (now_s - state.started_s - self._mean_stay_s)
        submitted_s = state.line.submitted_s
        heard_s = submitted_s if state.first_audio_s is None else state.first_audio_s
        return Event(
            state.line.utterance.id,
            Finished(
                reason=reason,
                total_samples=state.decoded * self._samples_per_frame,
                compute_ms=state.compute_s * 1000,
                queued_ms=(state.started_s - submitted_s) * 1000,
                first_audio_ms=(heard_s - submitted_s) * 1000,
            ),
        )

    def _state(self, slot: int) -> SlotState:
        state = self._slots[slot]
        assert state is not None, f"slot {slot} was on the plan and is empty"
        return state
