"""`kani-npc`: serve, say a line, list models. What is registered is in `commands`.

Errors are one line on stderr: exit code 2 for what was asked wrongly, 1 for what went wrong. Heavy imports wait for
the command that needs them: `say --server` and `--help` run without torch.
"""

import asyncio
import codecs
import csv
import io
import logging
import os
import sys
from collections.abc import AsyncIterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kani_npc import __version__, commands, models
from kani_npc.commands import (
    NAME,
    EncoderOption,
    ProjectOption,
    StoreOption,
    fail,
    fail_answered,
    speaking_at,
)
from kani_npc.config import calm_libraries, serve_settings
from kani_npc.errors import InvalidRecord, InvalidUtterance, KaniError, NotFound, SettingsError

if TYPE_CHECKING:
    from kani_npc.client import Client, Speech
    from kani_npc.server.app import Running
    from kani_npc.v1.speech_service_pb2 import SynthesizeRequest

WRONGLY_ASKED = (InvalidRecord, InvalidUtterance, NotFound, SettingsError)

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="A voice service for game characters: a line in, speech out.",
)
commands.add_to(app)

ModelOption = Annotated[
    str | None,
    typer.Option(
        help="tiny (shipped), a folder, or organisation/name on the hub, which is fetched."
    ),
]
CodecOption = Annotated[
    str | None,
    typer.Option(help="For a model folder without a codec: a .nemo file, a folder or a hub name."),
]
DeviceOption = Annotated[str | None, typer.Option(help="auto, cpu or cuda.")]
ThreadsOption = Annotated[
    int | None,
    typer.Option(help="Threads for arithmetic; 0: the physical cores, one for a small model."),
]
WeightsOption = Annotated[
    str | None,
    typer.Option(
        help="The language model's: auto, float32, bfloat16, int8 or int4. auto is int8 on a CPU, bfloat16 on a GPU."
    ),
]
CacheStoreOption = Annotated[
    str | None,
    typer.Option(help="Where lines outlive the process: a folder or redis://… [default: nowhere]"),
]
CacheStoreSizeOption = Annotated[str | None, typer.Option(help="Of that [default: 2GB]")]


class Encoding(StrEnum):
    """What `say` can write."""

    LINEAR16 = "linear16"
    FLOAT32 = "float32"
    MULAW = "mulaw"
    OGG_OPUS = "ogg-opus"


def main() -> None:
    """Runs the command line; what goes wrong becomes one line and an exit code."""
    calm_libraries()
    try:
        app(prog_name=NAME)
    except KaniError as error:
        fail(str(error), 2 if isinstance(error, WRONGLY_ASKED) else 1)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        fail(f"{where}{error.strerror or type(error).__name__}", 1)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"{NAME} {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    pass


@app.command()
def serve(
    address: Annotated[
        str | None, typer.Option(help="host:port to listen on [default: 127.0.0.1:50051]")
    ] = None,
    web_address: Annotated[
        str | None,
        typer.Option(
            help="host:port of gRPC-Web and the console, or off [default: port 8051 beside --address]"
        ),
    ] = None,
    web_origins: Annotated[
        str | None,
        typer.Option(
            help="Pages elsewhere that may call: https://…, separated by commas; * is any."
        ),
    ] = None,
    model: ModelOption = None,
    codec: CodecOption = None,
    device: DeviceOption = None,
    weights: WeightsOption = None,
    reproducible: Annotated[
        bool | None,
        typer.Option(
            "--reproducible",
            help="A line is the same samples to the bit whoever else speaks; many at once are slower.",
        ),
    ] = None,
    vram: Annotated[
        str | None,
        typer.Option(help="A GPU's memory, such as 3GB: as many lines at once as it holds."),
    ] = None,
    slots: Annotated[int | None, typer.Option(help="Lines spoken at once [default: 16]")] = None,
    rows: Annotated[
        int | None, typer.Option(help="Of them in one step; 0 is by device [default: 0]")
    ] = None,
    max_lead_s: Annotated[
        float | None,
        typer.Option(help="Seconds of sound made ahead of a listener in real time [default: 2]"),
    ] = None,
    threads: ThreadsOption = None,
    store: StoreOption = None,
    artifacts: Annotated[
        str | None,
        typer.Option(
            help="A folder for recordings [default: beside the store's file, or in Redis]"
        ),
    ] = None,
    cache: Annotated[
        str | None,
        typer.Option(help="Memory for lines that were said, or off [default: 128MB]"),
    ] = None,
    cache_store: CacheStoreOption = None,
    cache_store_size: CacheStoreSizeOption = None,
    speaker_encoder: EncoderOption = None,
) -> None:
    """Serve speech over gRPC and gRPC-Web, and the designer's console, until SIGTERM or Ctrl-C.

    Every option is also an environment variable: KANI_NPC_ADDRESS, KANI_NPC_MODEL, and so on.
    """
    settings = serve_settings(
        address=address,
        web_address=web_address,
        web_origins=web_origins,
        model=model,
        codec=codec,
        device=device,
        weights=weights,
        reproducible=reproducible,
        vram=vram,
        slots=slots,
        rows=rows,
        max_lead_s=max_lead_s,
        threads=threads,
        store=store,
        artifacts=artifacts,
        cache=cache,
        cache_store=cache_store,
        cache_store_size=cache_store_size,
        speaker_encoder=speaker_encoder,
    )
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    from kani_npc.server.app import serve

    asyncio.run(serve(settings, _announce))


def _announce(running: "Running") -> None:
    info, load = running.synthesizer.info, running.synthesizer.load
    console = f", console at http://{running.web_address}/" if running.web_address else ""
    print(
        f"{NAME} {__version__} speaks {info.name} ({len(running.voices.voices)} voices, {load.num_slots} slots) on "
        f"{running.device} at {running.address}{console}; "
        f"try: {NAME} say 'Halt! Who goes there?' --server {running.address} -o halt.wav",
        flush=True,
    )


@app.command()
def say(
    text: Annotated[str, typer.Argument(help="The line; - says what stdin writes, as it comes.")],
    output: Annotated[
        str,
        typer.Option("--output", "-o", help="A WAV (or Ogg) file, or - for raw sound on stdout."),
    ] = "speech.wav",
    npc: Annotated[str, typer.Option(help="An NPC's id: its voice, accent and delivery.")] = "",
    voice: Annotated[str, typer.Option(help="A voice's id [default: the model's]")] = "",
    accent: Annotated[str, typer.Option(help="An accent's id [default: the voice's]")] = "",
    seed: Annotated[
        int | None, typer.Option(help="Same seed, same speech [default: by the line]")
    ] = None,
    vary: Annotated[bool, typer.Option("--vary", help="Draw a seed: another take.")] = False,
    rate: Annotated[int, typer.Option(help="Samples per second; 0 is the model's own.")] = 0,
    encoding: Encoding = Encoding.LINEAR16,
    server: Annotated[
        str | None,
        typer.Option(help="host:port of a running server; without it, speak right here."),
    ] = None,
    model: ModelOption = None,
    codec: CodecOption = None,
    device: DeviceOption = None,
    threads: ThreadsOption = None,
    store: StoreOption = None,
    project: ProjectOption = "",
) -> None:
    """Say a line into a file. Plays nothing."""
    from kani_npc.client import Client, ServiceError
    from kani_npc.v1 import audio_pb2
    from kani_npc.v1 import speech_service_pb2 as pb

    if server is not None and (model or codec or device or threads or store):
        raise SettingsError(
            "--server speaks with its own model and store; "
            "--model, --codec, --device, --threads and --store have no place"
        )
    if server == "":
        raise SettingsError("--server must be host:port; leave it out to speak right here")
    settings = serve_settings(
        address="127.0.0.1:0",
        model=model,
        codec=codec,
        device=device,
        slots=1,
        threads=threads,
        store=store,
    )

    async def speak() -> None:
        async with (
            speaking_at(server, settings) as address,
            Client(address, project=project) as client,
        ):
            how: dict[str, Any] = {
                "npc": npc,
                "voice": voice,
                "accent": accent,
                "seed": seed,
                "vary": vary,
                "sample_rate_hz": rate,
                "encoding": audio_pb2.AudioEncoding.Value(f"AUDIO_ENCODING_{encoding.name}"),
                # Somebody may listen to a pipe; a file is served whole, and checked before.
                "pace": pb.PACE_REALTIME if output == "-" else pb.PACE_UNPACED,
            }
            is_written = text == "-"
            speech = (
                client.stream(_written(), **how) if is_written else client.synthesize(text, **how)
            )
            await _write(speech, output)

    try:
        asyncio.run(speak())
    except ServiceError as error:
        fail_answered(error, server)


async def _written() -> AsyncIterator[str]:
    """What comes in on stdin, as it comes. Raises `SettingsError` where that is not text."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        while data := await asyncio.to_thread(os.read, sys.stdin.fileno(), 4096):
            yield decoder.decode(data)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        raise SettingsError("what comes on stdin is not UTF-8") from None


async def _write(speech: "Speech", output: str) -> None:
    if output == "-":
        async for audio in speech:
            sys.stdout.buffer.write(audio.data)
            sys.stdout.buffer.flush()
    else:
        await speech.to_wav(output)
    assert speech.header and speech.end  # a speech that ended without an error has both
    duration_s = speech.end.total_samples / speech.header.sample_rate_hz
    factor = speech.end.compute_ms / 1000 / duration_s if duration_s else float("nan")
    print(
        f"{output}: {duration_s:.2f} s of {speech.header.voice}, seed {speech.header.seed}; first audio after "
        f"{speech.end.first_audio_ms:.0f} ms, real-time factor {factor:.2f}",
        file=sys.stderr,
    )


@app.command()
def prewarm(
    file: Annotated[
        Path,
        typer.Argument(
            help="Text, a line each; or .csv with a column text, and npc, voice, accent, seed."
        ),
    ],
    npc: Annotated[str, typer.Option(help="Who says them, where the file does not say.")] = "",
    voice: Annotated[str, typer.Option(help="A voice's id [default: the NPC's]")] = "",
    accent: Annotated[str, typer.Option(help="An accent's id [default: the NPC's]")] = "",
    server: Annotated[
        str | None,
        typer.Option(help="host:port of a running server; without it, make them right here."),
    ] = None,
    cache_store: CacheStoreOption = None,
    cache_store_size: CacheStoreSizeOption = None,
    model: ModelOption = None,
    codec: CodecOption = None,
    device: DeviceOption = None,
    threads: ThreadsOption = None,
    store: StoreOption = None,
    project: ProjectOption = "",
) -> None:
    """Have lines made and kept ahead of play, when nobody else needs the engine.

    By a running server, or right here into the --cache-store of servers to come.
    """
    from kani_npc.client import Client, ServiceError, line

    if server is not None and (
        cache_store or cache_store_size or model or codec or device or threads or store
    ):
        raise SettingsError(
            "--server has its own model, store and cache; leave out what sets those"
        )
    settings = serve_settings(
        address="127.0.0.1:0",
        model=model,
        codec=codec,
        device=device,
        threads=threads,
        store=store,
        cache_store=cache_store,
        cache_store_size=cache_store_size,
    )
    if not server and not settings.cache_store:
        raise SettingsError("pass --server, or --cache-store where the lines shall be kept")
    rows = _lines_of(file)

    async def make() -> int:
        async with (
            speaking_at(server, settings) as address,
            Client(address, project=project) as client,
        ):
            defaults = {"npc": npc, "voice": voice, "accent": accent}
            return await _prewarm(client, [line(**{**defaults, **row}) for row in rows])

    try:
        num_failed = asyncio.run(make())
    except ServiceError as error:
        fail_answered(error, server)
    else:
        if num_failed:
            fail(f"{num_failed} of {len(rows)} lines are not kept", 1)


async def _prewarm(client: "Client", lines: "Sequence[SynthesizeRequest]") -> int:
    """Says how it goes, on stderr; how many failed."""
    from kani_npc.v1 import speech_service_pb2 as pb

    counts = {
        pb.PREWARM_OUTCOME_MADE: 0,
        pb.PREWARM_OUTCOME_CACHED: 0,
        pb.PREWARM_OUTCOME_FAILED: 0,
    }

    def state() -> str:
        made, cached, failed = counts.values()
        return f"{made} made, {cached} there already, {failed} failed, of {len(lines)}"

    is_watched = sys.stderr.isatty()
    async for answer in client.prewarm(lines):
        counts[answer.outcome] += 1
        if answer.outcome == pb.PREWARM_OUTCOME_FAILED:
            print(f"line {answer.line + 1}: {answer.reason}: {answer.message}", file=sys.stderr)
        if is_watched:
            print(f"\r{state()}", end="", file=sys.stderr, flush=True)
    print(f"\r{state()}" if is_watched else state(), file=sys.stderr)
    return counts[pb.PREWARM_OUTCOME_FAILED]


def _lines_of(file: Path) -> list[dict[str, Any]]:
    """The lines of a text file, or the rows of a CSV file; empty ones are left out. Raises `SettingsError`."""
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise SettingsError(f"{file} is not UTF-8") from None
    if file.suffix.lower() != ".csv":
        return [{"text": line.strip()} for line in text.splitlines() if line.strip()]
    reader = csv.DictReader(io.StringIO(text))
    names = set(reader.fieldnames or ())
    if "text" not in names or names - {"text", "npc", "voice", "accent", "seed"}:
        raise SettingsError(f"{file} needs a column text, and may have npc, voice, accent and seed")
    rows: list[dict[str, Any]] = []
    for row in reader:
        given: dict[str, Any] = {name: value for name, value in row.items() if name and value}
        if "seed" in given:
            if not given["seed"].isdecimal():
                raise SettingsError(f"{file}, line {reader.line_num}: a seed is a whole number")
            given["seed"] = int(given["seed"])
        if given.get("text", "").strip():
            rows.append(given)
    return rows


@app.command("models")
def list_models() -> None:
    """List what is installed, what a name would fetch, and the licences."""
    rows = [
        (m.name, m.what, m.licence, str(m.folder) if m.folder else "not here: naming it fetches it")
        for m in models.list_models()
    ]
    rows.insert(0, ("NAME", "WHAT", "LICENCE", "WHERE"))
    widths = [max(len(row[i]) for row in rows) for i in range(3)]
    for row in rows:
        print("  ".join([*(cell.ljust(w) for cell, w in zip(row, widths, strict=False)), row[3]]))


if __name__ == "__main__":
    main()
