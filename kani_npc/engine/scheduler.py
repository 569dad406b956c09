"""Decides who gets a slot and who steps next.

Integers and lists only: no tensors, no clocks, no sockets. Times are numbers that it is given. Not thread-safe; the
engine thread owns it.

A line sits in one slot from its first piece of text to its last. A step has `max_rows` rows, for which the slots
compete: highest priority first, then the least sound in hand. Whoever waits rises, so nobody waits for ever.
"""

import math
from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from kani_npc.engine.joins import RAMP_S, fade_in, fade_out, pause
from kani_npc.engine.messages import Event, Failed
from kani_npc.engine.playback import Playback
from kani_npc.engine.speed import Speed
from kani_npc.engine.watchdog import Watchdog, WatchdogLimits
from kani_npc.errors import KaniError, Overloaded, TooLate
from kani_npc.prompt import Prompt
from kani_npc.speech import (
    Audio,
    Finished,
    FinishReason,
    Int16Array,
    Pace,
    PcmChunk,
    Priority,
    Utterance,
)
from kani_npc.text.pieces import Pieces

if TYPE_CHECKING:
    from kani_npc.engine.adapters import Adaptation  # passed through, never looked into

QUEUE_PATIENCE_S = 5.0  # a line in the queue rises by one priority each time it has waited so long
ROW_PATIENCE_S = 1.0  # and a slot that wants a row
RESERVE = 8  # one slot in so many is kept for dialogue and what is more urgent
READINGS = 16  # portions of prompts in one step, where nobody's sound runs out
MIN_RETRY_S = 0.1
MOMENT_S = 0.001  # not worth a rest


@dataclass(frozen=True, slots=True)
class SchedulerSettings:
    """Room and patience. `frame_s` is how long a frame sounds."""

    num_slots: int
    max_rows: int
    max_waiting: int
    decode_groups: tuple[int, ...]
    samples_per_frame: int
    sample_rate_hz: int
    max_lead_s: float = math.inf
    max_untaken_s: float = math.inf
    watchdog: WatchdogLimits | None = None

    def __post_init__(self) -> None:
        assert self.num_slots > 0 and self.max_rows > 0 and self.max_waiting >= 0
        assert self.decode_groups and min(self.decode_groups) > 0

    @property
    def frame_s(self) -> float:
        return self.samples_per_frame / self.sample_rate_hz


@dataclass(slots=True, eq=False)
class Piece:
    """A part of a line's text that is said in one go, and how far along."""

    text: str
    prompt: Prompt | None = None  # made when its turn comes, or before
    is_begun: bool = False  # in its slot
    is_read: bool = False  # its prompt, to the end
    is_over: bool = False  # there will be no more codes
    spoken: int = 0  # frames of codes
    decoded: int = 0  # frames of sound
    groups: int = 0  # decoding groups
    reading_s: float = 0.0


@dataclass(slots=True, eq=False)
class Line:
    """An utterance on its way through the engine: what is left to say of it, and what was heard."""

    utterance: Utterance
    submitted_s: float
    pieces: deque[Piece]  # empty only where nothing is left to say that is known
    is_open: bool = False  # more pieces may come
    adaptation: "Adaptation | None" = None  # what its voice changes in the model
    rest: Pieces | None = None  # of its text, after `pieces`; cut as it is needed
    ready_s: float = math.inf  # since when there is something to say
    taken: int = 0  # samples

    @property
    def rank(self) -> int:
        return self.utterance.rank

    def risen(self, waited_s: float, patience_s: float) -> int:
        """The rank of somebody who has waited so long. What nobody waits for does not rise."""
        if self.utterance.priority is Priority.IDLE:
            return self.rank
        return self.rank + int(waited_s / patience_s)

    @property
    def is_paced(self) -> bool:
        """Whether somebody plays it while it is made."""
        return self.utterance.pace is Pace.REALTIME and not self.utterance.hold_until_checked

    @property
    def characters(self) -> int:
        """What has not begun yet."""
        uncut = self.rest.characters if self.rest else 0
        return sum(len(piece.text) for piece in self.pieces) + uncut

    @property
    def about_pieces(self) -> int:
        """In about so many."""
        return len(self.pieces) + (self.rest.about if self.rest else 0)

    def cut(self, most: int | None = 1) -> None:
        """Take so many pieces off the rest, if none is there; None for all of it."""
        if self.rest is not None and (not self.pieces or most is None):
            self.pieces.extend(map(Piece, islice(self.rest, most)))


@dataclass(frozen=True, slots=True)
class Reading:
    """A portion of a prompt, to be read into a slot."""

    slot: int
    line: Line
    piece: Piece
    index: int  # of the piece in its line
    is_guest_new: bool  # a clean slot, for the line's first piece
    is_piece_new: bool  # `line.cut` is called with it


@dataclass(frozen=True, slots=True)
class Read:
    """What came of a reading."""

    is_whole: bool = False  # the prompt was read to its end
    error: KaniError | None = None
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class StepPlan:
    """One step. A slot is in `decode` for a frame of this very step too, so its group may turn out one shorter."""

    speak: tuple[int, ...] = ()  # slots that run their sub-steps: one more frame of codes each
    decode: tuple[tuple[int, int], ...] = ()  # (slot, n): its next n frames of codes become sound

    @property
    def slots(self) -> tuple[int, ...]:
        """Every slot that has work in this step."""
        return tuple(dict.fromkeys((*self.speak, *(slot for slot, _ in self.decode))))

    def without(self, slots: Collection[int]) -> "StepPlan":
        """The same step for the others."""
        if not slots:
            return self
        return StepPlan(
            tuple(slot for slot in self.speak if slot not in slots),
            tuple((slot, n) for slot, n in self.decode if slot not in slots),
        )


@dataclass(frozen=True, slots=True)
class StepFrames:
    """What came of a plan, by slot."""

    ended: frozenset[int] = frozenset()  # drew end_of_speech instead of a frame
    codes: Mapping[int, Sequence[int]] = field(default_factory=dict)  # of the others' frames
    samples: Mapping[int, Int16Array] = field(default_factory=dict)  # whole frames
    failed: Mapping[int, KaniError] = field(default_factory=dict)  # are lost
    compute_s: Mapping[int, float] = field(default_factory=dict)  # shares of the step's time


@dataclass(slots=True, eq=False)
class SlotState:
    """Who sits in a slot, and how far along."""

    line: Line
    started_s: float
    served_s: float  # when it last had a row, or did not want one
    playback: Playback = field(default_factory=Playback)
    watchdog: Watchdog | None = None
    piece: Piece | None = None  # None: all that there is was said
    index: int = -1  # of the piece
    frames: int = 0  # of all pieces
    samples: int = 0  # given out
    last_sample: int = 0
    is_resting: bool = False  # far enough ahead of its listener
    was_cut: bool = False  # a piece met its limit
    alarmed: bool = False
    compute_s: float = 0.0
    first_audio_s: float | None = None

    @property
    def speaks(self) -> bool:
        """Whether there is a frame of codes to be had."""
        return self.piece is not None and self.piece.is_read and not self.piece.is_over

    @property
    def reads(self) -> bool:
        return self.piece is not None and not self.piece.is_read

    @property
    def undecoded(self) -> int:
        return 0 if self.piece is None else self.piece.spoken - self.piece.decoded


class Scheduler:
    """Lines into `num_slots` slots, and the slots onto `max_rows` rows of each step.

    `decode_groups` says how many frames of a piece become sound at a time: (1, 1, 2, 4) is one, one, two, then four
    ever after. Groups go by frame index and not by the clock, so a line's samples do not depend on the machine's mood.
    Several frames at a time are cheaper on a CPU (full-size codec on two cores, measured: 61 ms for one, 108 ms for
    four); the first ones come alone so that sound starts at once.

    A step is: `admit`, each of `readings` done and told to `note_reading`, `plan`, `commit`. Between a plan and its
    `commit` lines may come and go; nobody is admitted.
    """

    def __init__(self, settings: SchedulerSettings) -> None:
        self.settings = settings
        self.speed = Speed(settings.frame_s)
        self._waiting: list[Line] = []  # in order of arrival
        self._slots: list[SlotState | None] = [None] * settings.num_slots
        self._told: list[Event] = []  # to be said with the next step

    @property
    def active(self) -> int:
        """Slots with somebody in them."""
        return len(self._guests())

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    @property
    def busy(self) -> bool:
        """Whether anybody is here, if only to wait for text."""
        return bool(self._waiting or self._told or self._guests())

    # --- what comes in

    def submit(self, line: Line) -> None:
        """Queue a line. Where nobody more may wait, the last-come of a lower priority gives way.

        Raises `Overloaded`, with when there may be room, where there is none such.
        """
        free = self._slots.count(None)
        if len(self._waiting) >= self.settings.max_waiting + free:
            overloaded = Overloaded(
                f"{self.active} of {self.settings.num_slots} slots speak and {len(self._waiting)} utterances wait; "
                "try again later",
                retry_after_s=self._retry_s(line.submitted_s),
            )
            # min keeps the first of equals, so the last to come goes.
            lowest = min(reversed(self._waiting), key=lambda other: other.rank, default=line)
            if lowest.rank >= line.rank:
                raise overloaded
            self._waiting.remove(lowest)
            self._told.append(Event(lowest.utterance.id, Failed(overloaded)))
        line.ready_s = line.submitted_s if line.pieces else math.inf
        self._waiting.append(line)

    def append(
        self, utterance_id: str, pieces: Sequence[Piece], *, is_last: bool, now_s: float
    ) -> None:
        """More to say of a line that is open; nothing follows after the last. One that has ended already is fine."""
        line = self._line(utterance_id)
        if line is None:
            return
        line.cut(None)
        line.pieces.extend(pieces)
        line.is_open = not is_last
        if pieces:
            line.ready_s = min(line.ready_s, now_s)

    def taken(self, utterance_id: str, end_sample: int) -> None:
        """A listener has taken its sound so far."""
        line = self._line(utterance_id)
        if line is not None:
            line.taken = max(line.taken, end_sample)

    def cancel(self, utterance_id: str) -> bool:
        """Forget an utterance, waiting or speaking; its slot is free for the next step. False if it is not here."""
        for slot, state in self._guests():
            if state.line.utterance.id == utterance_id:
                self._slots[slot] = None
                return True
        for line in self._waiting:
            if line.utterance.id == utterance_id:
                self._waiting.remove(line)
                return True
        return False

    def clear(self) -> list[str]:
        """Forget everybody; the ids of those who were here."""
        ids = [event.utterance_id for event in self._told]
        ids += [state.line.utterance.id for _, state in self._guests()]
        ids += [line.utterance.id for line in self._waiting]
        self._slots = [None] * self.settings.num_slots
        self._waiting.clear()
        self._told.clear()
        return ids

    # --- a step

    def wait_s(self, now_s: float) -> float | None:
        """For how long a step would have nothing to do; None if only a message can change that."""
        if self._told or self._next(now_s) or any(not line.pieces for line in self._closed()):
            return 0.0
        until: list[float] = []
        for _, state in self._guests():
            if state.reads or (state.undecoded and state.piece and state.piece.is_over):
                return 0.0
            if state.piece is None and (state.line.pieces or not state.line.is_open):
                return 0.0
            if state.speaks:
                rest_s = self._rest_s(state, now_s)
                if rest_s <= 0:
                    return 0.0
                until.append(rest_s)
        until += [self._late_s(line) - now_s for line in self._waiting]
        if self._slots.count(None) and any(line.pieces for line in self._waiting):
            until.append(QUEUE_PATIENCE_S)  # for the kept slots, until it has risen
        first_s = min(until, default=math.inf)
        return None if first_s == math.inf else max(0.0, first_s)

    def admit(self, now_s: float) -> list[Event]:
        """Free slots to those who wait, the next piece to those who have said one. What is to be told before."""
        events, self._told = self._told, []
        for line in [line for line in self._waiting if self._late_s(line) <= now_s]:
            self._waiting.remove(line)
            events.append(_too_late(line))
        for line in [line for line in self._closed() if not line.pieces]:
            self._waiting.remove(line)
            events.append(self._finished(SlotState(line, now_s, now_s)))
        for slot, state in self._guests():
            if not state.frames and self._late_s(state.line) <= now_s:
                self._slots[slot] = None
                events.append(_too_late(state.line))
            elif state.piece is None:
                events += self._go_on(slot, state, now_s)
        while line := self._next(now_s):
            self._waiting.remove(line)
            slot, state = self._slots.index(None), SlotState(line, now_s, now_s)
            if self.settings.watchdog is not None:
                state.watchdog = Watchdog(self.settings.watchdog)
            self._slots[slot] = state
            self._go_on(slot, state, now_s)
        return events

    def has_readings(self, now_s: float) -> bool:
        """Whether the next step has prompts to read before its frame."""
        begins = any(
            state.reads or (state.piece is None and state.line.pieces)
            for _, state in self._guests()
        )
        return begins or self._next(now_s) is not None

    def readings(self, now_s: float) -> Iterator[Reading]:
        """Portions of prompts, of the most urgent first, while nobody's sound runs out meanwhile; at least one."""
        for done in range(READINGS):
            readers = [(slot, state) for slot, state in self._guests() if state.reads]
            if not readers or (done and done >= self._affordable_readings(now_s)):
                return
            slot, state = min(readers, key=lambda reader: self._urgency(reader[1], now_s))
            state.served_s = now_s
            piece = state.piece
            assert piece is not None
            yield Reading(
                slot,
                state.line,
                piece,
                state.index,
                is_guest_new=state.index == 0 and not piece.is_begun,
                is_piece_new=not piece.is_begun,
            )

    def note_reading(self, reading: Reading, read: Read) -> list[Event]:
        """Book a portion. A prompt that cannot be read ends its line."""
        state, piece = self._state(reading.slot), reading.piece
        if read.error is not None:
            self._slots[reading.slot] = None
            return [Event(state.line.utterance.id, Failed(read.error))]
        piece.is_begun, piece.is_read = True, read.is_whole
        piece.reading_s += read.seconds
        state.compute_s += read.seconds
        self.speed.note_portion(read.seconds)
        return []

    def plan(self, now_s: float) -> StepPlan:
        """Who speaks a frame, and whose groups of frames become sound."""
        able: list[tuple[int, SlotState]] = []
        for slot, state in self._guests():
            if state.speaks and self._rest_s(state, now_s) <= 0:
                able.append((slot, state))
            elif not state.reads:
                state.served_s = now_s
        able.sort(key=lambda one: self._urgency(one[1], now_s))
        speak = tuple(sorted(slot for slot, _ in able[: self.settings.max_rows]))
        decode: list[tuple[int, int]] = []
        for slot, state in self._guests():
            piece = state.piece
            if piece is None or not (piece.is_over or slot in speak):
                continue
            state.served_s = now_s
            pending = state.undecoded + (not piece.is_over)
            is_last = piece.is_over or piece.spoken + 1 == state.line.utterance.sampling.max_frames
            groups = self.settings.decode_groups
            group = groups[min(piece.groups, len(groups) - 1)]
            if pending >= group or is_last:
                decode.append((slot, min(pending, group)))
        return StepPlan(speak, tuple(decode))

    def commit(self, plan: StepPlan, frames: StepFrames, now_s: float) -> list[Event]:
        """Book what the step brought; what the listeners are to hear of it. Slots of ended utterances are free now.

        What it brought for somebody who left meanwhile is nobody's.
        """
        events: list[Event] = []
        here = plan.without({slot for slot in plan.slots if self._slots[slot] is None})
        for slot in here.slots:
            if (error := frames.failed.get(slot)) is not None:
                events.append(Event(self._state(slot).line.utterance.id, Failed(error)))
                self._slots[slot] = None
        done = here.without(frames.failed)
        for slot in done.slots:
            self._state(slot).compute_s += frames.compute_s.get(slot, 0.0)
        if plan.speak and frames.compute_s:  # a step that failed says nothing about the speed
            self.speed.note_step(len(plan.speak), sum(frames.compute_s.values()))
        for slot in done.speak:
            self._frame(self._state(slot), None if slot in frames.ended else frames.codes[slot])
        for slot, _ in done.decode:
            events += self._sound(self._state(slot), frames.samples.get(slot), now_s)
        for slot in done.slots:
            events += self._end_of_piece(slot, self._state(slot), now_s)
        return events

    # --- pieces and frames of one slot

    def _go_on(self, slot: int, state: SlotState, now_s: float) -> list[Event]:
        """The next piece, after a pause; or the end, if nothing can follow."""
        line = state.line
        if not line.pieces:
            if line.is_open:
                return []
            self._slots[slot] = None
            return [self._finished(state)]
        state.piece = line.pieces.popleft()
        state.index += 1
        state.served_s = now_s
        if state.watchdog is not None:
            state.watchdog.begin(state.piece.text)
        count = round(line.utterance.pause_s * self.settings.sample_rate_hz)
        if state.index == 0 or count == 0:
            return []
        return [self._audio(state, pause(state.last_sample, count, self._ramp), now_s)]

    def _frame(self, state: SlotState, codes: Sequence[int] | None) -> None:
        """A frame of codes, or none: the end of the piece."""
        piece = state.piece
        assert piece is not None
        if codes is None:
            piece.is_over = True
            return
        piece.spoken += 1
        state.frames += 1
        if state.watchdog is not None and state.watchdog.codes(codes):
            state.alarmed = piece.is_over = True
        elif piece.spoken == state.line.utterance.sampling.max_frames:
            state.was_cut = piece.is_over = True

    def _sound(self, state: SlotState, samples: Int16Array | None, now_s: float) -> list[Event]:
        piece, frame = state.piece, self.settings.samples_per_frame
        assert piece is not None
        piece.groups += 1
        if samples is None or not len(samples):  # a group of one whose row ended instead
            return []
        is_first, piece.decoded = piece.decoded == 0, piece.decoded + len(samples) // frame
        if state.watchdog is not None and state.watchdog.sound(samples, frame):
            state.alarmed = piece.is_over = True
        if is_first and state.index and state.line.utterance.pause_s:
            samples = fade_in(samples, self._ramp)
        if state.alarmed and not state.undecoded:
            samples = fade_out(samples, frame)
        return [self._audio(state, samples, now_s)]

    def _audio(self, state: SlotState, samples: Int16Array, now_s: float) -> Event:
        prebuffer_s = 0.0
        if state.first_audio_s is None:
            state.first_audio_s = now_s
            prebuffer_s = self._prebuffer_s(state)
        chunk = PcmChunk(samples, first_sample=state.samples)
        state.samples = chunk.end_sample
        state.last_sample = int(samples[-1])
        state.playback.add(len(samples) / self.settings.sample_rate_hz, now_s)
        return Event(state.line.utterance.id, Audio(chunk, prebuffer_s))

    def _end_of_piece(self, slot: int, state: SlotState, now_s: float) -> list[Event]:
        piece = state.piece
        if piece is None or not piece.is_over or state.undecoded:
            return []
        if not (state.alarmed or state.was_cut):
            self.speed.note_piece(len(piece.text), piece.spoken, piece.reading_s)
        state.piece = None
        if state.alarmed:
            self._slots[slot] = None
            return [self._finished(state)]
        return self._go_on(slot, state, now_s)

    def _finished(self, state: SlotState) -> Event:
        reason = FinishReason.MAX_FRAMES if state.was_cut else FinishReason.END_OF_SPEECH
        ready_s = min(state.line.ready_s, state.started_s)
        heard_s = ready_s if state.first_audio_s is None else state.first_audio_s
        return Event(
            state.line.utterance.id,
            Finished(
                reason=FinishReason.WATCHDOG if state.alarmed else reason,
                total_samples=state.samples,
                compute_ms=state.compute_s * 1000,
                queued_ms=(state.started_s - ready_s) * 1000,
                first_audio_ms=(heard_s - ready_s) * 1000,
            ),
        )

    # --- who is first, and who may wait

    def _next(self, now_s: float) -> Line | None:
        """Who gets a free slot, if there is one for it."""
        ready = [line for line in self._waiting if line.pieces]
        free = self._slots.count(None)
        if not ready or not free:
            return None

        def rank(line: Line) -> int:
            return line.risen(now_s - line.ready_s, QUEUE_PATIENCE_S)

        first = max(ready, key=rank)  # the first of equals
        is_kept = free <= self.settings.num_slots // RESERVE
        return None if is_kept and rank(first) < Priority.DIALOGUE else first

    def _urgency(self, state: SlotState, now_s: float) -> tuple[int, float, float]:
        """Less is more urgent."""
        rank = state.line.risen(now_s - state.served_s, ROW_PATIENCE_S)
        return -rank, self._in_hand_s(state, now_s), state.served_s

    def _in_hand_s(self, state: SlotState, now_s: float) -> float:
        """Of its listener; of a line that nobody plays yet, all that was made."""
        if state.line.is_paced:
            return state.playback.in_hand_s(now_s)
        return state.samples / self.settings.sample_rate_hz

    def _rest_s(self, state: SlotState, now_s: float) -> float:
        """For how long a stream is far enough ahead; infinite if only its listener can change that."""
        settings, line = self.settings, state.line
        if state.samples - line.taken >= settings.max_untaken_s * settings.sample_rate_hz:
            return math.inf
        if not line.is_paced:
            return 0.0
        # Of sound: codes that wait for their group are no listener's yet, and would wait for ever.
        ahead_s = state.playback.in_hand_s(now_s) - settings.max_lead_s
        # Whoever rests rests for a group of frames: rows that step together are cheaper than one by one.
        group_s = min(settings.decode_groups[-1] * settings.frame_s, settings.max_lead_s / 2)
        rest_s = ahead_s + group_s
        state.is_resting = rest_s > MOMENT_S and (state.is_resting or ahead_s >= 0)
        return rest_s if state.is_resting else 0.0

    def _affordable_readings(self, now_s: float) -> int:
        """Portions that may be read before a frame: half the time until the first listener runs dry."""
        least_s = min(
            (
                self._in_hand_s(state, now_s)
                for _, state in self._guests()
                if state.speaks and state.line.utterance.pace is Pace.REALTIME
            ),
            default=math.inf,
        )
        portion_s = self.speed.portion_s
        return READINGS if least_s == math.inf or not portion_s else int(least_s / 2 / portion_s)

    def _prebuffer_s(self, state: SlotState) -> float:
        """What is recommended to the listener, at its first sound."""
        line, piece, settings = state.line, state.piece, self.settings
        assert piece is not None
        limits = line.utterance.sampling
        pieces = 1 + line.about_pieces
        frames = self.speed.frames(len(piece.text) + line.characters)
        frames = min(max(frames, limits.min_frames), pieces * limits.max_frames)
        rivals = sum(
            other is not state
            and other.line.rank >= line.rank
            and (other.speaks or other.reads)
            and not other.is_resting
            for _, other in self._guests()
        )
        return self.speed.prebuffer_s(
            frames, pieces, settings.decode_groups, 1 + rivals, settings.max_rows
        )

    def _retry_s(self, now_s: float) -> float:
        """When the first slot may be free, and so a place in the queue: by what is left to say, and the speed."""
        guests = [state for _, state in self._guests()]
        frame_s = self.speed.seconds_per_frame(len(guests), self.settings.max_rows)
        until: list[float] = []
        for state in guests:
            text = state.line.characters + (len(state.piece.text) if state.piece else 0)
            spoken = state.piece.spoken if state.piece else 0
            left = max(0.0, self.speed.frames(text) - spoken)
            pace_s = self.settings.frame_s if state.line.is_paced else 0.0
            until.append(left * max(frame_s, pace_s))
        return round(max(min(until, default=1.0), MIN_RETRY_S), 3)

    def _late_s(self, line: Line) -> float:
        """When it is too late for a line to start."""
        within_s = line.utterance.start_within_s
        return math.inf if within_s is None else line.ready_s + within_s

    # --- finding

    @property
    def _ramp(self) -> int:
        return round(RAMP_S * self.settings.sample_rate_hz)

    def _guests(self) -> list[tuple[int, SlotState]]:
        return [(slot, state) for slot, state in enumerate(self._slots) if state is not None]

    def _closed(self) -> list[Line]:
        return [line for line in self._waiting if not line.is_open]

    def _line(self, utterance_id: str) -> Line | None:
        lines = [state.line for _, state in self._guests()] + self._waiting
        return next((line for line in lines if line.utterance.id == utterance_id), None)

    def _state(self, slot: int) -> SlotState:
        state = self._slots[slot]
        assert state is not None, f"slot {slot} was on the plan and is empty"
        return state


def _too_late(line: Line) -> Event:
    error = TooLate(
        "the line could not start within start_within_ms; ask again if it still matters"
    )
    return Event(line.utterance.id, Failed(error))
