"""Between the wire's messages and the domain's words, both ways.

The border: what a request holds is checked here, with our errors, and nowhere after. Knows no gRPC and no clock.
"""

import hashlib
import secrets
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from kani_npc import __version__
from kani_npc.audio import OggOpusStream, StreamResampler, to_float, to_int16, to_mulaw
from kani_npc.engine.synthesizer import EngineLoad
from kani_npc.errors import InvalidRecord, InvalidUtterance
from kani_npc.lips import HOPS_PER_S, LipShapes, LipTracker
from kani_npc.server.delivery import Finisher
from kani_npc.server.written import Fragment
from kani_npc.speech import (
    MAX_SEED,
    AccentPreset,
    Audio,
    Finished,
    FinishReason,
    FloatArray,
    ModelInfo,
    Pace,
    Priority,
    Sampling,
    SpeechEvent,
    Utterance,
)
from kani_npc.text.clean import check_speakable, clean, plain
from kani_npc.text.lexicon import respell
from kani_npc.text.limits import MAX_SPEECH_S, check_length
from kani_npc.v1 import audio_pb2, sampling_pb2
from kani_npc.v1 import speech_service_pb2 as pb
from kani_npc.voices.builtin import BuiltinVoices
from kani_npc.voices.records import Lexicon, SeedPolicy
from kani_npc.voices.registry import Cast

T = TypeVar("T")

SAMPLE_RATES_HZ = (8000, 16000, 22050, 24000, 44100, 48000)
ENCODINGS = (
    audio_pb2.AUDIO_ENCODING_LINEAR16,
    audio_pb2.AUDIO_ENCODING_FLOAT32,
    audio_pb2.AUDIO_ENCODING_MULAW,
    audio_pb2.AUDIO_ENCODING_OGG_OPUS,
)
# Where a request leaves the rate to us, and it is not the model's own.
DEFAULT_RATES_HZ: Mapping[int, int] = {
    audio_pb2.AUDIO_ENCODING_MULAW: 8000,
    audio_pb2.AUDIO_ENCODING_OGG_OPUS: OggOpusStream.RATE_HZ,
}

_PRIORITIES = {
    pb.PRIORITY_UNSPECIFIED: Priority.DIALOGUE,
    pb.PRIORITY_AMBIENT: Priority.AMBIENT,
    pb.PRIORITY_BARK: Priority.BARK,
    pb.PRIORITY_DIALOGUE: Priority.DIALOGUE,
    pb.PRIORITY_CRITICAL: Priority.CRITICAL,
}
_PACES = {
    pb.PACE_UNSPECIFIED: Pace.REALTIME,
    pb.PACE_REALTIME: Pace.REALTIME,
    pb.PACE_UNPACED: Pace.UNPACED,
}
_FINISH_REASONS = {
    FinishReason.END_OF_SPEECH: pb.FINISH_REASON_END_OF_SPEECH,
    FinishReason.MAX_FRAMES: pb.FINISH_REASON_MAX_FRAMES,
    FinishReason.INTERRUPTED: pb.FINISH_REASON_INTERRUPTED,
    FinishReason.SUPERSEDED: pb.FINISH_REASON_SUPERSEDED,
    FinishReason.WATCHDOG: pb.FINISH_REASON_WATCHDOG,
}


def to_utterance(request: pb.SynthesizeRequest, cast: Cast, info: ModelInfo) -> Utterance:
    """What is to be said, by whom the registry found. Raises `InvalidUtterance`.

    Where the request leaves its text open, what it has of it is no more than the start: the utterance has none.
    """
    text = plain(request.text) if request.open_text else clean(request.text)
    check_length(len(text))
    if request.vary and request.HasField("seed"):
        raise InvalidUtterance("vary draws a seed; set one of vary and seed", field="vary")
    if request.start_within_ms < 0:
        raise InvalidUtterance("start_within_ms must not be negative", field="start_within_ms")
    spoken = "" if request.open_text else text
    if spoken and cast.lexicon:
        spoken = respelled(text, cast.lexicon)
        check_speakable(spoken)
        check_length(len(spoken))
    return Utterance(
        id=uuid.uuid4().hex,
        text=spoken,
        voice=cast.voice,
        accent=cast.accent,
        sampling=_sampling(request.sampling, cast.sampling, info),
        # Of the text as it was sent: a word that is respelled changes itself, and not the whole take.
        seed=_seed(request, text, cast),
        priority=_named(_PRIORITIES, request.priority, "priority"),
        pace=_named(_PACES, request.pace, "pace"),
        start_within_s=request.start_within_ms / 1000 or None,
        pause_s=cast.delivery.pause_ms / 1000,
        hold_until_checked=request.hold_until_checked,
        remember=not _is_drawn(request, cast),
    )


def respelled(text: str, lexicon: Lexicon | None) -> str:
    """Clean text, or part of one, as the project wants it said; clean again."""
    said = text if lexicon is None else respell(text, lexicon.entries)
    return text if said == text else plain(said)


def to_turn(request: pb.SynthesizeRequest) -> int:
    """Its place among the lines of its NPC; 0 for none. Raises `InvalidUtterance`."""
    if request.turn < 0 or (request.turn and not request.npc):
        raise InvalidUtterance("turn numbers the lines of an npc, from 1 on", field="turn")
    return request.turn


async def to_config(
    requests: AsyncIterator[pb.StreamingSynthesizeRequest],
) -> pb.SynthesizeRequest:
    """What a stream begins with, its text left open. Raises `InvalidUtterance`."""
    async for request in requests:
        if request.HasField("config"):
            request.config.open_text = True
            return request.config
        break
    raise InvalidUtterance("a stream begins with its config", field="config")


def to_piece(request: pb.StreamingSynthesizeRequest) -> Fragment:
    """What follows it. Raises `InvalidUtterance`."""
    if not request.HasField("piece"):
        raise InvalidUtterance("after its config, a stream has pieces only", field="piece")
    return to_fragment(request.piece)


def to_streaming(response: pb.SynthesizeResponse) -> pb.StreamingSynthesizeResponse:
    """The same event."""
    event = response.WhichOneof("event")
    assert event is not None
    return pb.StreamingSynthesizeResponse(**{event: getattr(response, event)})


def to_fragment(piece: pb.TextPiece) -> Fragment:
    return Fragment(piece.text, flush=piece.flush, close=piece.close)


@contextmanager
def within(field: str) -> Iterator[None]:
    """What is at fault in a part of a request is at fault in the request."""
    try:
        yield
    except (InvalidUtterance, InvalidRecord) as wrong:
        wrong.field = f"{field}.{wrong.field}"
        raise


def _is_drawn(request: pb.SynthesizeRequest, cast: Cast) -> bool:
    """Whether the seed is another each time."""
    is_npcs = cast.npc is not None and cast.npc.seed_policy is SeedPolicy.VARY
    return request.vary or (is_npcs and not request.HasField("seed"))


def _seed(request: pb.SynthesizeRequest, text: str, cast: Cast) -> int:
    if request.HasField("seed"):
        return request.seed
    if _is_drawn(request, cast):
        return secrets.randbelow(MAX_SEED + 1)
    if cast.npc is not None and cast.npc.seed is not None:
        return cast.npc.seed
    return derive_seed(text, cast.voice.id, _id(cast.accent))


def derive_seed(text: str, voice: str, accent: str) -> int:
    """The seed of a line that names none: the same line sounds the same, in every process and version."""
    digest = hashlib.blake2b(digest_size=8)
    for part in (text, voice, accent):
        data = part.encode()
        digest.update(len(data).to_bytes(8, "big") + data)
    return int.from_bytes(digest.digest(), "big") & MAX_SEED


def sample_rates_hz(info: ModelInfo) -> list[int]:
    """What a stream may ask for: the model's own rate and the usual ones."""
    return sorted({*SAMPLE_RATES_HZ, info.sample_rate_hz})


class SpeechWriter:
    """Writes one utterance as the wire's events, in the format its request asked for.

    Counts output samples. At the model's own rate, LINEAR16 is the engine's samples bit for bit; at another rate the
    sound is resampled in float32 and rounded at the end. Raises `InvalidUtterance` for a format nobody offers.
    """

    def __init__(
        self,
        audio: audio_pb2.AudioFormat,
        utterance: Utterance,
        cast: Cast,
        info: ModelInfo,
        *,
        visemes: bool = False,
    ) -> None:
        encoding = audio.encoding or audio_pb2.AUDIO_ENCODING_LINEAR16
        if encoding not in ENCODINGS:
            names = " or ".join(_encoding_name(e) for e in ENCODINGS)
            raise InvalidUtterance(f"the encoding must be {names}", field="audio.encoding")
        self.encoding = encoding
        self.sample_rate_hz = _rate_hz(audio.sample_rate_hz, encoding, info)
        self.total_samples = 0
        self._utterance = utterance
        self._npc = "" if cast.npc is None else cast.npc.id
        self._info = info
        self._finisher = Finisher(cast.delivery, info.sample_rate_hz)
        self._resampler = (
            None
            if self.sample_rate_hz == info.sample_rate_hz
            else StreamResampler(info.sample_rate_hz, self.sample_rate_hz)
        )
        is_opus = encoding == audio_pb2.AUDIO_ENCODING_OGG_OPUS
        self._opus = OggOpusStream() if is_opus else None
        if visemes and info.sample_rate_hz % HOPS_PER_S:
            raise InvalidUtterance("no lip shapes at this model's sample rate", field="visemes")
        self._lips = LipTracker(info.sample_rate_hz) if visemes else None

    def header(self, first: SpeechEvent | None = None) -> pb.SynthesizeResponse:
        """The first event of the stream; `first` is the engine's first one, where that is known."""
        u = self._utterance
        prebuffer_s = first.prebuffer_s if isinstance(first, Audio) else 0.0
        return pb.SynthesizeResponse(
            header=pb.SpeechHeader(
                utterance_id=u.id,
                encoding=self.encoding,
                sample_rate_hz=self.sample_rate_hz,
                voice=u.voice.id,
                voice_revision=u.voice.revision,
                accent=_id(u.accent),
                model=self._info.name,
                seed=u.seed,
                synthetic=True,
                sampler_version=self._info.sampler_version,
                recommended_prebuffer_ms=round(prebuffer_s * 1000),
                npc=self._npc,
            )
        )

    def sound(self, event: SpeechEvent) -> Iterator[pb.SynthesizeResponse]:
        """The sound in an event: one piece, or none where it is held back; what is left of it at the end.

        Before it what the mouth does to it, where that was asked for.
        """
        is_last = not isinstance(event, Audio)
        samples = (
            self._finisher.flush() if is_last else self._finisher(to_float(event.chunk.samples))
        )
        if self._lips:
            yield from self._timing(self._lips(samples / self._finisher.gain))
        yield from self._piece(self._resampler(samples) if self._resampler else samples)
        if is_last and self._resampler:
            yield from self._piece(self._resampler.flush())
        if is_last and self._opus:
            yield from self._pages(self._opus, self._opus.flush())

    def end(
        self, finished: Finished, samples_sent: int, elapsed_ms: float, first_audio_ms: float
    ) -> pb.SynthesizeResponse:
        return pb.SynthesizeResponse(
            end=pb.SpeechEnd(
                finish_reason=_FINISH_REASONS[finished.reason],
                total_samples=samples_sent,
                elapsed_ms=elapsed_ms,
                compute_ms=finished.compute_ms,
                queued_ms=finished.queued_ms,
                first_audio_ms=first_audio_ms,
                cache_hit=finished.cache_hit,
                attempts=finished.attempts,
            )
        )

    def duration_s(self, event: pb.SynthesizeResponse) -> float:
        """How long an event sounds."""
        if not event.HasField("audio"):
            return 0.0
        return (self.total_samples - event.audio.first_sample) / self.sample_rate_hz

    def _piece(self, samples: FloatArray) -> Iterator[pb.SynthesizeResponse]:
        if len(samples) == 0:
            return
        if self._opus:
            yield from self._pages(self._opus, self._opus(samples))
            return
        first = self.total_samples
        self.total_samples += len(samples)
        match self.encoding:
            case audio_pb2.AUDIO_ENCODING_LINEAR16:
                data = to_int16(samples).astype("<i2", copy=False)
            case audio_pb2.AUDIO_ENCODING_MULAW:
                data = to_mulaw(samples)
            case _:
                data = samples.astype("<f4", copy=False)
        yield pb.SynthesizeResponse(audio=pb.SpeechAudio(data=data.tobytes(), first_sample=first))

    def _timing(self, shapes: LipShapes) -> Iterator[pb.SynthesizeResponse]:
        if len(shapes.weights_HV) == 0:
            return
        # Every rate that is offered has whole hops.
        hop_samples = self.sample_rate_hz // HOPS_PER_S
        yield pb.SynthesizeResponse(
            timing=pb.SpeechTiming(
                first_sample=shapes.first_hop * hop_samples,
                hop_samples=hop_samples,
                weights=shapes.weights_HV.ravel(),
                openness=shapes.openness_H,
            )
        )

    def _pages(self, opus: OggOpusStream, data: bytes) -> Iterator[pb.SynthesizeResponse]:
        if data:
            first, self.total_samples = self.total_samples, opus.end_sample
            yield pb.SynthesizeResponse(audio=pb.SpeechAudio(data=data, first_sample=first))


def server_info(
    info: ModelInfo, voices: BuiltinVoices, load: EngineLoad
) -> pb.GetServerInfoResponse:
    """What this server speaks with, at this moment."""
    s = info.sampling
    return pb.GetServerInfoResponse(
        version=__version__,
        model=pb.ModelInfo(
            name=info.name,
            licence=info.licence,
            sample_rate_hz=info.sample_rate_hz,
            samples_per_frame=info.samples_per_frame,
            speaker_space=info.speaker_space,
            languages=info.languages,
            sampling=sampling_pb2.Sampling(
                temperature=s.temperature,
                top_k=s.top_k,
                top_p=s.top_p,
                repetition_penalty=s.repetition_penalty,
                greedy=s.greedy,
                min_frames=s.min_frames,
                max_frames=s.max_frames,
            ),
            sampler_version=info.sampler_version,
            assumed_defaults=info.notes,
        ),
        voices=[
            pb.VoiceInfo(
                id=v.id,
                display_name=v.display_name,
                accent=_id(voices.accent_of(v)),
                licence=v.licence,
                revision=v.revision,
            )
            for v in voices.voices
        ],
        default_voice=voices.default_voice.id,
        accents=[pb.AccentInfo(id=a.id, tag=a.tag) for a in voices.accents],
        default_accent=_id(voices.default_accent),
        encodings=ENCODINGS,
        sample_rates_hz=sample_rates_hz(info),
        reproducible=info.reproducible,
        capacity=pb.Capacity(num_slots=load.num_slots, active=load.active, waiting=load.waiting),
    )


def _sampling(request: sampling_pb2.Sampling, below: Sampling, info: ModelInfo) -> Sampling:
    """The request's values over the NPC's, the accent's and the model's, which `below` has."""
    changes = {field.name: value for field, value in request.ListFields()}
    sampling = below.but(**changes)
    longest = MAX_SPEECH_S * info.sample_rate_hz // info.samples_per_frame
    if "max_frames" in changes and sampling.max_frames > longest:
        raise InvalidUtterance(
            f"max_frames may be {longest}, which is {MAX_SPEECH_S} s of speech",
            field="sampling.max_frames",
        )
    return sampling


def _id(accent: AccentPreset | None) -> str:
    return accent.id if accent else ""


def _named(names: Mapping[Any, T], value: int, field: str) -> T:
    if value not in names:
        raise InvalidUtterance(f"{field} has no value {value}", field=field)
    return names[value]


def _rate_hz(asked_hz: int, encoding: int, info: ModelInfo) -> int:
    if not asked_hz:
        return DEFAULT_RATES_HZ.get(encoding, info.sample_rate_hz)
    rates = sample_rates_hz(info)
    if encoding == audio_pb2.AUDIO_ENCODING_OGG_OPUS and asked_hz != OggOpusStream.RATE_HZ:
        raise InvalidUtterance(
            f"OGG_OPUS is {OggOpusStream.RATE_HZ} Hz; leave the sample rate 0",
            field="audio.sample_rate_hz",
        )
    if asked_hz not in rates:
        raise InvalidUtterance(
            f"the sample rate must be 0 (the encoding's or the model's own) or one of {', '.join(map(str, rates))}",
            field="audio.sample_rate_hz",
        )
    return asked_hz


def _encoding_name(encoding: int) -> str:
    return audio_pb2.AudioEncoding.Name(encoding).removeprefix("AUDIO_ENCODING_")  # pyright: ignore[reportArgumentType]
