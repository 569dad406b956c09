"""The Python client: a line in, sound out, over gRPC. Used by the command line, the tests and the benchmarks.

Knows the wire and nothing else of kani-npc: it runs where no torch is.

    async with Client("127.0.0.1:50051") as client:
        speech = client.synthesize("Halt! Who goes there?", voice="guard")
        async for audio in speech:
            play(audio.data)

        async for audio in client.stream(tokens_of_a_language_model(), npc="innkeeper"):
            play(audio.data)
"""

import asyncio
import math
import random
import struct
import time
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    Awaitable,
    Callable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import aclosing, suppress
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import grpc
from google.protobuf import json_format
from google.protobuf.message import Message
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from kani_npc.v1 import accent_service_pb2_grpc as accent_rpc
from kani_npc.v1 import audio_pb2
from kani_npc.v1 import lexicon_service_pb2_grpc as lexicon_rpc
from kani_npc.v1 import npc_service_pb2_grpc as npc_rpc
from kani_npc.v1 import speech_service_pb2 as pb
from kani_npc.v1 import speech_service_pb2_grpc as rpc
from kani_npc.v1 import voice_service_pb2_grpc as voice_rpc

# An idle connection is pinged, so that a dead server is noticed before the next line.
_OPTIONS = (
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.max_receive_message_length", -1),  # a voice file may have 32 MiB
    ("grpc.max_send_message_length", -1),  # the server says what is too large
)
_PROJECT_KEY = "kani-project"
# Nothing was heard of such a line: the server was not there, or had no room.
_MAY_RETRY = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED)
_FIRST_WAIT_S, _MAX_WAIT_S = 0.25, 8.0
_REQUEST_BYTES = 60 * 1024  # a server takes 64 KiB
_SAMPLE_BYTES: Mapping[int, int] = {
    audio_pb2.AUDIO_ENCODING_LINEAR16: 2,
    audio_pb2.AUDIO_ENCODING_FLOAT32: 4,
    audio_pb2.AUDIO_ENCODING_MULAW: 1,
    audio_pb2.AUDIO_ENCODING_OGG_OPUS: 0,
}
_WAVE_FORMATS: Mapping[int, int] = {  # of `fmt `
    audio_pb2.AUDIO_ENCODING_LINEAR16: 1,
    audio_pb2.AUDIO_ENCODING_FLOAT32: 3,
    audio_pb2.AUDIO_ENCODING_MULAW: 7,
}


class ServiceError(Exception):
    """What the service answered instead.

    `status` is gRPC's name of it (`NOT_FOUND`), `reason` the service's (`VOICE_NOT_FOUND`), `field` what is at fault
    in the request, `retry_after_s` when to try again, `metadata` what else there is (`etag`: the current one); all but
    `status` where they apply.
    """

    def __init__(
        self,
        message: str,
        *,
        status: str,
        reason: str = "",
        field: str = "",
        retry_after_s: float | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.field = field
        self.retry_after_s = retry_after_s
        self.metadata = dict(metadata or {})


class _PatientCall:
    """A call that is made anew where the server was not there or had no room, for as long as nothing of it was heard:
    what has begun is never begun again. The waits are those of the engines' clients: twice as long each time, of which
    a random half is left out, and never less than the server asks for."""

    def __init__(
        self, begin: Callable[[float | None], Any], timeout_s: float | None, tries: int
    ) -> None:
        """`begin` makes the call, with the time that is left of `timeout_s`."""
        self._begin = begin
        self._end_s = math.inf if timeout_s is None else time.monotonic() + timeout_s
        self._tries = tries
        self._call = begin(timeout_s)
        self._cancelled = asyncio.Event()

    async def __aiter__(self) -> AsyncGenerator[Any]:
        is_begun, wait_s = False, _FIRST_WAIT_S
        for tries_left in reversed(range(self._tries)):
            try:
                async for response in self._call:
                    is_begun = True
                    yield response
                return
            except grpc.aio.AioRpcError as error:
                pause_s = wait_s * random.uniform(0.5, 1.0)
                pause_s = max(pause_s, _service_error(error).retry_after_s or 0.0)
                may_retry = tries_left and error.code() in _MAY_RETRY and not is_begun
                if not may_retry or time.monotonic() + pause_s >= self._end_s:
                    raise
            with suppress(TimeoutError):
                await asyncio.wait_for(self._cancelled.wait(), pause_s)
            if self._cancelled.is_set():
                raise asyncio.CancelledError
            wait_s = min(2 * wait_s, _MAX_WAIT_S)
            left_s = self._end_s - time.monotonic()
            self._call = self._begin(None if left_s == math.inf else max(0.0, left_s))

    def cancel(self) -> None:
        self._cancelled.set()
        self._call.cancel()


class Speech:
    """One line being said: iterate over its audio, once. `header` is there from the first piece on, `end` at the end.

    Every piece is checked to follow the one before, and the end to count them all. `timings` has what the mouth does
    to the sound so far, where the line was asked for `visemes`.
    """

    def __init__(self, call: Any) -> None:
        """`call` is gRPC's, of a method whose responses are those of `Synthesize`."""
        self._call = call
        self._interrupted = False
        self.header: pb.SpeechHeader | None = None
        self.end: pb.SpeechEnd | None = None
        self.timings: list[pb.SpeechTiming] = []

    async def __aiter__(self) -> AsyncGenerator[pb.SpeechAudio]:
        """Raises `ServiceError`; ends early, without `end`, after `interrupt`."""
        num_samples = 0
        try:
            async for response in self._call:
                match response.WhichOneof("event"):
                    case "header":
                        self.header = response.header
                    case "audio":
                        if not self.is_ogg:  # whose bytes say nothing of how many samples they are
                            _check(response.audio.first_sample == num_samples)
                            num_samples += len(response.audio.data) // self.sample_bytes
                        yield response.audio
                    case "timing":
                        self.timings.append(response.timing)
                    case "end":
                        self.end = response.end
        except grpc.aio.AioRpcError as error:
            raise _service_error(error) from None
        except asyncio.CancelledError:
            if not self._interrupted:
                raise
            return
        finally:
            self._call.cancel()  # of no effect on a call that has ended
        _check(self.end is not None and (self.is_ogg or self.end.total_samples == num_samples))

    @property
    def is_ogg(self) -> bool:
        """Whether the pieces are the pages of an Ogg file, and not samples."""
        encoding = self.header.encoding if self.header else None
        return encoding == audio_pb2.AUDIO_ENCODING_OGG_OPUS

    @property
    def sample_bytes(self) -> int:
        """Bytes of one sample, in the header's encoding; 0 where it has no such number."""
        return 2 if self.header is None else _SAMPLE_BYTES[self.header.encoding]

    async def to_wav(self, path: str | PathLike[str]) -> pb.SpeechEnd:
        """The whole line as a WAV file, in 16 bits, float or mu-law as it comes; Ogg Opus as the Ogg file that it is.
        Raises `ServiceError`, `OSError`."""
        data = b"".join([audio.data async for audio in self])
        assert self.header and self.end  # a line that ended without an error has both
        head = b"" if self.is_ogg else wav_header(self.header, len(data))
        Path(path).write_bytes(head + data)
        return self.end

    def interrupt(self) -> None:
        """Stops the voice; the server is done with it within a frame."""
        self._interrupted = True
        self._call.cancel()


class WrittenSpeech(Speech):
    """A line that is said while it is being written: by an iterator of fragments, or by `write`, `flush` and `close`.

    Fragments are cut anywhere. Whoever writes by hand reads in another task, to hear what was written while writing
    more. What is written once the line has ended is dropped: its reader hears why. Leaving the context stops the voice.
    """

    def __init__(
        self,
        call: "grpc.aio.StreamStreamCall[Any, Any]",
        config: pb.SynthesizeRequest,
        text: AsyncIterable[str] | None,
    ) -> None:
        super().__init__(call)
        self._first: pb.StreamingSynthesizeRequest | None = pb.StreamingSynthesizeRequest(
            config=config
        )
        self._text = text
        self._writing = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.interrupt()

    async def __aiter__(self) -> AsyncGenerator[pb.SpeechAudio]:
        """As of `Speech`. Raises what the iterator of fragments raises, too."""
        feeding = asyncio.create_task(self._feed())
        try:
            async with aclosing(super().__aiter__()) as heard:
                async for audio in heard:
                    yield audio
        finally:
            feeding.cancel()
            await asyncio.wait([feeding])
        if not feeding.cancelled():
            feeding.result()

    async def write(self, text: str, *, flush: bool = False) -> None:
        """Adds text; waits while the connection is full. `flush` says what is there, though no clause has ended."""
        await self._send(pb.TextPiece(text=text, flush=flush))

    async def flush(self) -> None:
        await self.write("", flush=True)

    async def close(self) -> None:
        """Nothing follows: the line ends once everything was said."""
        await self._send(pb.TextPiece(close=True))

    async def _feed(self) -> None:
        """The configuration, and what the iterator gives."""
        try:
            await self._send()
            if self._text is not None:
                async for fragment in self._text:
                    await self.write(fragment)
                await self.close()
        except Exception:
            self.interrupt()
            raise

    async def _send(self, *pieces: pb.TextPiece) -> None:
        requests = [pb.StreamingSynthesizeRequest(piece=piece) for piece in pieces]
        async with self._writing:
            if self._first is not None:
                requests.insert(0, self._first)
                self._first = None
            try:
                for request in requests:
                    await self._call.write(request)
            except (asyncio.InvalidStateError, grpc.aio.AioRpcError):
                pass  # the line has ended, and says so to its reader
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if task is None or task.cancelling():  # and not only the call
                    raise


class Methods:
    """A service's unary methods by their names: `await client.npcs.GetNpc(request)`. They raise `ServiceError`."""

    def __init__(self, stub: Any, options: Mapping[str, Any]) -> None:
        self._stub = stub
        self._options = options

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        method = getattr(self._stub, name)

        async def call(request: Message, *, timeout_s: float | None = None) -> Any:
            options = {**self._options, "timeout": timeout_s or self._options["timeout"]}
            try:
                return await method(request, **options)
            except grpc.aio.AioRpcError as error:
                raise _service_error(error) from None

        return call


class Client:
    """One connection; many lines at once. `timeout_s` is the deadline of each call, none for None; `project` is where
    names are looked up, the server's `default` if it is empty.

    `tries` is how often a line of `synthesize` is asked for in all, where the server is not there or has no room, for
    as long as nothing of it was heard; `timeout_s` bounds all of them together. 4 is what the engines' clients do.

    `voices`, `npcs`, `accents` and `lexicons` have the methods of their services.
    """

    def __init__(
        self, address: str, *, timeout_s: float | None = None, project: str = "", tries: int = 1
    ) -> None:
        metadata = ((_PROJECT_KEY, project),) if project else ()
        self.address = address
        self._options: dict[str, Any] = {"timeout": timeout_s, "metadata": metadata}
        self._tries = tries
        self._channel = grpc.aio.insecure_channel(address, options=_OPTIONS)
        self._stub: Any = rpc.SpeechServiceStub(self._channel)
        self._unary = Methods(self._stub, self._options)
        self.voices = Methods(voice_rpc.VoiceServiceStub(self._channel), self._options)
        self.npcs = Methods(npc_rpc.NpcServiceStub(self._channel), self._options)
        self.accents = Methods(accent_rpc.AccentServiceStub(self._channel), self._options)
        self.lexicons = Methods(lexicon_rpc.LexiconServiceStub(self._channel), self._options)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Ends running calls."""
        await self._channel.close()

    def synthesize(self, text: str, **options: Any) -> Speech:
        """Says a line. What is left out is the server's choice; options are those of `line`."""
        request, timeout_s = line(text, **options), self._options["timeout"]

        def begin(left_s: float | None) -> Any:
            return self._stub.Synthesize(request, **{**self._options, "timeout": left_s})

        return Speech(_PatientCall(begin, timeout_s, self._tries))

    def stream(self, text: AsyncIterable[str] | None = None, **options: Any) -> WrittenSpeech:
        """Says a line while it is being written, say by a language model. Options are those of `line`."""
        call = self._stub.StreamingSynthesize(**self._options)
        return WrittenSpeech(call, line("", **options), text)

    async def append(
        self,
        utterance_id: str,
        text: str,
        sequence: int,
        *,
        flush: bool = False,
        close: bool = False,
    ) -> int:
        """Adds fragment number `sequence` to a line that was begun with `open_text`. The number that is expected next.

        May be repeated: no fragment is taken twice. Raises `ServiceError`.
        """
        piece = pb.TextPiece(text=text, flush=flush, close=close)
        request = pb.AppendTextRequest(utterance_id=utterance_id, piece=piece, sequence=sequence)
        return (await self._unary.AppendText(request)).next_sequence

    async def interrupt(
        self, *, npc: str = "", utterance_id: str = ""
    ) -> Sequence[pb.InterruptedLine]:
        """Stops every line of an NPC, or one line, whoever began it. Those that were stopped. Raises `ServiceError`."""
        request = (
            pb.InterruptRequest(npc=npc) if npc else pb.InterruptRequest(utterance_id=utterance_id)
        )
        return (await self._unary.Interrupt(request)).lines

    async def prewarm(
        self, lines: Sequence[pb.SynthesizeRequest]
    ) -> AsyncGenerator[pb.PrewarmResponse]:
        """Has lines made and kept ahead of play (see `line`), when nobody else needs the engine. One answer each, as
        they are done; `line` is its index here. Raises `ServiceError`, where the server keeps no lines say.

        Many go as several requests, one after the other.
        """
        for first, some in _batches(lines):
            call = self._stub.Prewarm(pb.PrewarmRequest(lines=some), **self._options)
            try:
                async for answer in call:
                    answer.line += first
                    yield answer
            except grpc.aio.AioRpcError as error:
                raise _service_error(error) from None
            finally:
                call.cancel()  # of no effect on a call that has ended

    async def say_to_wav(
        self, text: str, path: str | PathLike[str], **options: Any
    ) -> pb.SpeechEnd:
        """Says a line into a WAV file, as fast as it comes. Options as in `synthesize`."""
        return await self.synthesize(text, **{"pace": pb.PACE_UNPACED, **options}).to_wav(path)

    async def server_info(self) -> pb.GetServerInfoResponse:
        """What the server speaks with. Raises `ServiceError`."""
        return await self._unary.GetServerInfo(pb.GetServerInfoRequest())


def line(
    text: str,
    *,
    npc: str = "",
    voice: str = "",
    accent: str = "",
    encoding: int = 0,
    sample_rate_hz: int = 0,
    seed: int | None = None,
    vary: bool = False,
    sampling: Mapping[str, float] | None = None,
    priority: int = 0,
    pace: int = 0,
    start_within_ms: int = 0,
    turn: int = 0,
    open_text: bool = False,
    hold_until_checked: bool = False,
    visemes: bool = False,
) -> pb.SynthesizeRequest:
    """A line as the wire has it. Raises `ServiceError` for what the wire cannot carry."""
    try:
        return pb.SynthesizeRequest(
            text=text,
            npc=npc,
            voice=voice,
            accent=accent,
            audio={"encoding": encoding, "sample_rate_hz": sample_rate_hz},  # pyright: ignore[reportArgumentType]
            sampling=sampling,  # pyright: ignore[reportArgumentType]
            seed=seed,
            vary=vary,
            priority=priority,  # pyright: ignore[reportArgumentType]  enums are ints on the wire
            pace=pace,  # pyright: ignore[reportArgumentType]
            start_within_ms=start_within_ms,
            turn=turn,
            open_text=open_text,
            hold_until_checked=hold_until_checked,
            visemes=visemes,
        )
    except (ValueError, TypeError) as error:  # protobuf: not in the field's range, not UTF-8
        raise ServiceError(str(error), status="INVALID_ARGUMENT") from None


def _batches(
    lines: Sequence[pb.SynthesizeRequest],
) -> Iterator[tuple[int, Sequence[pb.SynthesizeRequest]]]:
    """Runs of lines that fit into a request, each with the index of its first."""
    first, size = 0, 0
    for i, one in enumerate(lines):
        more = one.ByteSize() + 8  # tag and length
        if i > first and size + more > _REQUEST_BYTES:
            yield first, lines[first:i]
            first, size = i, 0
        size += more
    if lines:
        yield first, lines[first:]


def as_dict(message: Message) -> dict[str, Any]:
    """A message as JSON has it, with the names of the wire."""
    return json_format.MessageToDict(message, preserving_proto_field_name=True)


def wav_header(header: pb.SpeechHeader, num_bytes: int) -> bytes:
    """What stands before `num_bytes` of a stream's samples in a WAV file. (`wave` writes integers only.)"""
    sample_bytes, rate = _SAMPLE_BYTES[header.encoding], header.sample_rate_hz
    form = struct.pack(
        "<HHIIHH",
        _WAVE_FORMATS[header.encoding],
        1,
        rate,
        rate * sample_bytes,
        sample_bytes,
        8 * sample_bytes,
    )
    return struct.pack(
        "<4sI4s4sI16s4sI", b"RIFF", 36 + num_bytes, b"WAVE", b"fmt ", 16, form, b"data", num_bytes
    )


def _service_error(error: grpc.aio.AioRpcError) -> ServiceError:
    """The status and its google.rpc details, in plain values."""
    reason, field, retry_after_s, metadata = "", "", None, {}
    status = rpc_status.from_call(error)  # pyright: ignore[reportArgumentType]  has all of a Call that is read
    for packed in status.details if status else ():
        if info := _unpack(packed, error_details_pb2.ErrorInfo):
            reason, metadata = info.reason, dict(info.metadata)
        elif bad := _unpack(packed, error_details_pb2.BadRequest):
            field = bad.field_violations[0].field if bad.field_violations else ""
        elif retry := _unpack(packed, error_details_pb2.RetryInfo):
            retry_after_s = retry.retry_delay.seconds + retry.retry_delay.nanos / 1e9
    return ServiceError(
        error.details() or error.code().name,
        status=error.code().name,
        reason=reason,
        field=field,
        retry_after_s=retry_after_s,
        metadata=metadata,
    )


def _unpack(packed: Any, kind: type[Any]) -> Any:
    message: Message = kind()
    return message if packed.Unpack(message) else None


def _check(whole: bool) -> None:
    if not whole:
        raise ServiceError("the speech that came is not whole", status="DATA_LOSS")
