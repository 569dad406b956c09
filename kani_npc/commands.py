"""`kani-npc voices|npcs|accents|lexicons|consent|usage`: what is registered, read and changed from a terminal.

Each command is a client of the service: of a running one (`--server`), else of one that it starts right here on the
same store. A running server hears within a moment what was written beside it. Tables for people, `--json` for programs.
"""

import asyncio
import hashlib
import inspect
import json
import sys
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kani_npc.config import ServeSettings, serve_settings
from kani_npc.errors import SettingsError

if TYPE_CHECKING:
    from kani_npc.client import Client, ServiceError

NAME = "kani-npc"
ASKED_WRONGLY = ("INVALID_ARGUMENT", "NOT_FOUND")
UPLOAD_S = 300.0  # 32 MiB over a slow line, and a large encoder on a slow machine
EXPORT_SUFFIX = ".voice.safetensors"


def fail(message: str, code: int) -> None:
    """One line on stderr, and the end."""
    print(f"{NAME}: {message}", file=sys.stderr)
    sys.exit(code)


def fail_answered(error: "ServiceError", server: str | None) -> None:
    """Ends the process with what the service answered instead; `server` is named where it is not to be reached."""
    where = f"{server}: " if server and error.status == "UNAVAILABLE" else ""
    fail(where + str(error), 2 if error.status in ASKED_WRONGLY else 1)


@asynccontextmanager
async def speaking_at(server: str | None, settings: ServeSettings) -> AsyncIterator[str]:
    """Where the service is: a running server, or one of our own on a free loopback port."""
    if server is not None:
        yield server
        return
    from kani_npc.server.app import speaking_server

    async with speaking_server(settings) as running:
        yield running.address


# What every command takes, and what it gets

ServerOption = Annotated[
    str | None, typer.Option(help="host:port of a running server; without it, work right here.")
]
StoreOption = Annotated[
    str | None,
    typer.Option(
        help="Where voices are kept: sqlite:PATH or redis://… [default: in your data folder]"
    ),
]
ModelOption = Annotated[
    str | None, typer.Option(help="The model that voices are for [default: tiny]")
]
EncoderOption = Annotated[
    str | None,
    typer.Option(help="A speaker encoder: a folder or a hub name [default: the model's]"),
]
ProjectOption = Annotated[
    str, typer.Option(help="Whose voices; each project has its own [default: default]")
]
JsonOption = Annotated[bool, typer.Option("--json", help="For programs.")]


@dataclass(frozen=True, slots=True)
class Desk:
    """A command's client, and the form of its answers."""

    client: "Client"
    as_json: bool

    def show(self, message: Any, *more: tuple[str, str]) -> None:
        """One resource, field by field."""
        from kani_npc.client import as_dict

        fields = as_dict(message)
        if self.as_json:
            print(json.dumps(fields, indent=2))
            return
        rows = [
            (name, _plain(value)) for name, value in fields.items() if value not in ("", {}, [])
        ]
        _print_table([*rows, *more])

    def table(
        self, header: Sequence[str], messages: Sequence[Any], row: Callable[[Any], Sequence[str]]
    ) -> None:
        """Many, a line each."""
        from kani_npc.client import as_dict

        if self.as_json:
            print(json.dumps([as_dict(message) for message in messages], indent=2))
            return
        _print_table([header, *map(row, messages)])

    def done(self, message: str) -> None:
        """Something happened, and there is nothing to show of it."""
        if not self.as_json:
            print(message)


def _print_table(rows: Sequence[Sequence[str]]) -> None:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        cells = zip(row, widths, strict=True)
        print("  ".join(cell.ljust(width) for cell, width in cells).rstrip())


def _plain(value: Any) -> str:
    match value:
        case dict():
            return ", ".join(f"{k}={_plain(v)}" for k, v in value.items() if v not in ("", {}, []))
        case list():
            return ", ".join(map(_plain, value))
    return str(value)


Command = Callable[..., Awaitable[None]]


def _command(app: typer.Typer, name: str) -> Callable[[Command], Command]:
    """Makes a command of a coroutine that takes a `Desk` first: it gets the options that all of them have."""

    def register(work: Command) -> Command:
        def run(
            server: str | None,
            store: str | None,
            model: str | None,
            speaker_encoder: str | None,
            project: str,
            as_json: bool,
            **arguments: Any,
        ) -> None:
            from kani_npc.client import Client, ServiceError

            if server is not None and (store or model or speaker_encoder):
                raise SettingsError(
                    "--server has its own store and model; --store, --model and --speaker-encoder have no place"
                )
            if server == "":
                raise SettingsError("--server must be host:port; leave it out to work right here")
            settings = serve_settings(
                address="127.0.0.1:0",
                store=store,
                model=model,
                speaker_encoder=speaker_encoder,
                slots=1,
            )

            async def ask() -> None:
                async with (
                    speaking_at(server, settings) as address,
                    Client(address, timeout_s=30, project=project) as client,
                ):
                    await work(Desk(client, as_json), **arguments)

            try:
                asyncio.run(ask())
            except ServiceError as error:
                fail_answered(error, server)

        own = list(inspect.signature(work).parameters.values())[1:]
        shared: Mapping[str, tuple[Any, Any]] = {
            "server": (ServerOption, None),
            "store": (StoreOption, None),
            "model": (ModelOption, None),
            "speaker_encoder": (EncoderOption, None),
            "project": (ProjectOption, ""),
            "as_json": (JsonOption, False),
        }
        options = [
            inspect.Parameter(
                name, inspect.Parameter.KEYWORD_ONLY, annotation=kind, default=default
            )
            for name, (kind, default) in shared.items()
        ]
        parameters = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own] + options
        run.__signature__ = inspect.Signature(parameters)  # pyright: ignore[reportFunctionMemberAccess]
        run.__annotations__ = {p.name: p.annotation for p in parameters}
        run.__doc__ = work.__doc__
        app.command(name)(run)
        return work

    return register


def _group(help: str) -> typer.Typer:
    return typer.Typer(no_args_is_help=True, rich_markup_mode=None, help=help)


voices = _group("Voices: enrol, hear, version, blend, carry.")
npcs = _group("NPCs: a voice, an accent and a delivery under one name.")
accents = _group("Accents: a language tag of the model, and sampling that suits it.")
lexicons = _group("Lexicons: how a project's words are said.")
consent = _group("Consent: who allowed a voice.")
usage = _group("Usage: which voice spoke how much.")


def add_to(app: typer.Typer) -> None:
    """Gives the command line all of these."""
    app.add_typer(voices, name="voices")
    app.add_typer(npcs, name="npcs")
    app.add_typer(accents, name="accents")
    app.add_typer(lexicons, name="lexicons")
    app.add_typer(consent, name="consent")
    app.add_typer(usage, name="usage")


# Voices

IdArgument = Annotated[str, typer.Argument(help="1 to 63 of a-z, 0-9 and -")]
NameOption = Annotated[str, typer.Option("--name", help="What people call it.")]
LabelOption = Annotated[
    list[str] | None, typer.Option("--label", help="key=value; as often as you like.")
]
TagOption = Annotated[
    str, typer.Option("--tag", help="The language tag of its lines where no accent is asked for.")
]
LicenceOption = Annotated[str, typer.Option(help="The licence of the voice.")]
SyntheticOption = Annotated[
    bool, typer.Option("--synthetic", help="I declare: it is nobody's voice.")
]
OwnVoiceOption = Annotated[bool, typer.Option("--own-voice", help="I declare: it is my own voice.")]
HolderOption = Annotated[str, typer.Option(help="Whose voice it is.")]
StatementOption = Annotated[str, typer.Option(help="What the holder said or signed.")]
ScopeOption = Annotated[str, typer.Option(help="What the holder allows it to be used for.")]
ExpiresOption = Annotated[
    datetime | None, typer.Option(formats=["%Y-%m-%d"], help="The first day it may not be used.")
]
StatementFileOption = Annotated[
    Path | None, typer.Option(help="The recorded statement; its sha256 is kept, not the file.")
]


@_command(voices, "list")
async def _list_voices(desk: Desk) -> None:
    """The voices of the project, and those of the model."""
    from kani_npc.v1 import voice_service_pb2 as pb

    found = await _all(desk.client.voices.ListVoices, pb.ListVoicesRequest, "voices")

    def row(voice: pb.Voice) -> Sequence[str]:
        source = pb.VoiceSource.Name(voice.source).removeprefix("VOICE_SOURCE_").lower()
        return (
            *(voice.id, voice.display_name, str(voice.revision), source, voice.tag or "-"),
            *(_consent_state(voice), _day(voice.update_time)),
        )

    header = ("ID", "NAME", "REVISION", "SOURCE", "TAG", "CONSENT", "CHANGED")
    desk.table(header, found, row)


@_command(voices, "show")
async def _show_voice(desk: Desk, id: IdArgument) -> None:
    """One voice (id, or id@revision), and its revisions."""
    from kani_npc.v1 import voice_service_pb2 as pb

    id, _, revision = id.partition("@")
    if revision:
        if not revision.isdecimal() or len(revision) > 9:
            raise SettingsError(f"{revision!r} is no revision")
        request = pb.GetVoiceRevisionRequest(id=id, revision=int(revision))
        desk.show((await desk.client.voices.GetVoiceRevision(request)).voice)
        return
    voice = (await desk.client.voices.GetVoice(pb.GetVoiceRequest(id=id))).voice
    request = pb.ListVoiceRevisionsRequest(id=id, page_size=20)
    page = await desk.client.voices.ListVoiceRevisions(request)
    lines = [f"{v.revision} ({v.content_hash[:8]}, {_day(v.update_time)})" for v in page.voices]
    more = ", …" if page.next_page_token else ""
    desk.show(voice, ("revisions", ", ".join(lines) + more))


@_command(voices, "enroll")
async def _enroll_voice(
    desk: Desk,
    id: IdArgument,
    clips: Annotated[
        list[Path], typer.Argument(help="WAV, FLAC, OGG or MP3, 1 to 60 s each, of one speaker.")
    ],
    name: NameOption = "",
    tag: TagOption = "",
    licence: LicenceOption = "",
    label: LabelOption = None,
    synthetic: SyntheticOption = False,
    own_voice: OwnVoiceOption = False,
    holder: HolderOption = "",
    statement: StatementOption = "",
    scope: ScopeOption = "",
    expires: ExpiresOption = None,
    statement_file: StatementFileOption = None,
    keep_clips: Annotated[
        bool, typer.Option("--keep-clips", help="Keep the recordings, for `voices reembed`.")
    ] = False,
    revise: Annotated[
        bool, typer.Option("--revise", help="Make the next revision of a voice that is there.")
    ] = False,
) -> None:
    """Make a voice of recordings. Say who allows it: --synthetic, --own-voice, or --holder, --statement and --scope."""
    from kani_npc.v1 import voice_service_pb2 as pb

    files = [clip.read_bytes() for clip in clips]
    allowed = _consent(synthetic, own_voice, holder, statement, scope, expires, statement_file)
    voice = pb.Voice(
        id=id,
        display_name=name,
        tag=tag,
        licence=licence,
        labels=_pairs(label, "--label"),
        consent=allowed,
    )
    request = pb.EnrollVoiceRequest(voice=voice, clips=files, keep_clips=keep_clips, revise=revise)
    with _uploading(f"{len(files)} recordings", sum(map(len, files))):
        answer = await desk.client.voices.EnrollVoice(request, timeout_s=UPLOAD_S)
    heard = [
        (clip.name, f"{found.speech_s:.1f} s of speech, likeness {found.likeness:.2f}")
        for clip, found in zip(clips, answer.clips, strict=True)
    ]
    desk.show(answer.voice, *heard)


@_command(voices, "update")
async def _update_voice(
    desk: Desk,
    id: IdArgument,
    name: NameOption = "",
    tag: TagOption = "",
    licence: LicenceOption = "",
    label: LabelOption = None,
    synthetic: SyntheticOption = False,
    own_voice: OwnVoiceOption = False,
    holder: HolderOption = "",
    statement: StatementOption = "",
    scope: ScopeOption = "",
    expires: ExpiresOption = None,
    statement_file: StatementFileOption = None,
) -> None:
    """Change what is said of a voice, or give it a new consent record."""
    from kani_npc.v1 import voice_service_pb2 as pb

    voice = pb.Voice(
        id=id,
        display_name=name,
        tag=tag,
        licence=licence,
        labels=_pairs(label, "--label"),
        consent=_consent(synthetic, own_voice, holder, statement, scope, expires, statement_file),
    )
    answer = await desk.client.voices.UpdateVoice(pb.UpdateVoiceRequest(voice=voice))
    desk.show(answer.voice)


@_command(voices, "blend")
async def _blend_voices(
    desk: Desk,
    id: IdArgument,
    shares: Annotated[list[str], typer.Argument(help="voice=weight, two or more.")],
    name: NameOption = "",
) -> None:
    """Make a voice of several. It may speak while all of them may."""
    from kani_npc.v1 import voice_service_pb2 as pb

    weights = [
        pb.BlendShare(voice=voice, weight=_number(weight, "a weight"))
        for voice, weight in _pairs(shares, "a share").items()
    ]
    request = pb.BlendVoicesRequest(voice=pb.Voice(id=id, display_name=name), shares=weights)
    desk.show((await desk.client.voices.BlendVoices(request)).voice)


@_command(voices, "export")
async def _export_voice(
    desk: Desk,
    id: IdArgument,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help=f"A file [default: ID{EXPORT_SUFFIX}]")
    ] = None,
    with_clips: Annotated[
        bool, typer.Option("--with-clips", help="With the recordings that were kept.")
    ] = False,
) -> None:
    """Write a voice (id, or id@revision) into one file."""
    from kani_npc.v1 import voice_service_pb2 as pb

    request = pb.ExportVoiceRequest(voice=id, with_clips=with_clips)
    answer = await desk.client.voices.ExportVoice(request, timeout_s=UPLOAD_S)
    file = output or Path(answer.file_name)
    file.write_bytes(answer.bundle)
    desk.done(f"{file}: {len(answer.bundle)} bytes; its consent record stays here")


@_command(voices, "import")
async def _import_voice(
    desk: Desk,
    file: Annotated[Path, typer.Argument(help="A file of `voices export`, or a published .pt.")],
    id: Annotated[str, typer.Option(help="What to call it [default: as in the file]")] = "",
    space: Annotated[str, typer.Option(help="Of a .pt file: the encoder that made it.")] = "",
    revise: Annotated[bool, typer.Option("--revise", help="The voice's next revision.")] = False,
    synthetic: SyntheticOption = False,
    own_voice: OwnVoiceOption = False,
    holder: HolderOption = "",
    statement: StatementOption = "",
    scope: ScopeOption = "",
    expires: ExpiresOption = None,
    statement_file: StatementFileOption = None,
) -> None:
    """Make a voice of a file. Say who allows it, as in `voices enroll`."""
    from kani_npc.v1 import voice_service_pb2 as pb

    bundle = file.read_bytes()
    request = pb.ImportVoiceRequest(
        bundle=bundle,
        id=id,
        space=space,
        revise=revise,
        consent=_consent(synthetic, own_voice, holder, statement, scope, expires, statement_file),
    )
    with _uploading(file.name, len(bundle)):
        answer = await desk.client.voices.ImportVoice(request, timeout_s=UPLOAD_S)
    desk.show(answer.voice)


@_command(voices, "rollback")
async def _roll_back_voice(
    desk: Desk,
    id: IdArgument,
    revision: Annotated[int, typer.Argument(help="The one to sound like again.", min=1)],
) -> None:
    """Make a new revision that sounds as an old one did."""
    from kani_npc.v1 import voice_service_pb2 as pb

    request = pb.RollBackVoiceRequest(id=id, revision=revision)
    desk.show((await desk.client.voices.RollBackVoice(request)).voice)


@_command(voices, "rm")
async def _delete_voice(desk: Desk, id: IdArgument) -> None:
    """Delete a voice, its revisions and its recordings."""
    from kani_npc.v1 import voice_service_pb2 as pb

    await desk.client.voices.DeleteVoice(pb.DeleteVoiceRequest(id=id))
    desk.done(f"{id}: deleted")


@_command(voices, "reembed")
async def _reembed_voices(
    desk: Desk,
    ids: Annotated[
        list[str] | None,
        typer.Argument(help="Which [default: all with recordings, of another encoder's space]"),
    ] = None,
) -> None:
    """Embed kept recordings once more, with the encoder that there is now."""
    from kani_npc.v1 import voice_service_pb2 as pb

    if not ids:
        space = (await desk.client.server_info()).model.speaker_space
        found = await _all(desk.client.voices.ListVoices, pb.ListVoicesRequest, "voices")
        ids = [v.id for v in found if v.num_clips and v.embedding.space != space]
    done = []
    for number, id in enumerate(ids, 1):
        with _uploading(f"{id}, {number} of {len(ids)}", 0):
            request = pb.ReembedVoiceRequest(id=id)
            answer = await desk.client.voices.ReembedVoice(request, timeout_s=UPLOAD_S)
        done.append(answer.voice)
    header = ("ID", "REVISION", "SPACE")
    desk.table(header, done, lambda v: (v.id, str(v.revision), v.embedding.space))


@voices.command("sweep")
def _sweep_parts(
    store: StoreOption = None,
    artifacts: Annotated[
        str | None, typer.Option(help="As in `serve`, where the server has it.")
    ] = None,
    project: ProjectOption = "",
    grace_s: Annotated[
        float | None,
        typer.Option(help="Leave alone what is younger, and may be in use soon [default: an hour]"),
    ] = None,
) -> None:
    """Delete recordings and other large parts that no voice has, left by enrolments that were refused or killed.

    Works on the store, and beside running servers.
    """
    from kani_npc.voices.names import DEFAULT_PROJECT
    from kani_npc.voices.open import open_store
    from kani_npc.voices.store import SWEEP_GRACE_S, Records

    settings = serve_settings(store=store, artifacts=artifacts)
    folder = Path(settings.artifacts) if settings.artifacts else None
    grace_s = SWEEP_GRACE_S if grace_s is None else grace_s

    async def sweep() -> int:
        opened = await open_store(settings.store, artefacts=folder)
        try:
            return await Records(opened).sweep(project or DEFAULT_PROJECT, grace_s=grace_s)
        finally:
            await opened.close()

    print(f"{asyncio.run(sweep())} parts deleted")


# NPCs

TemperatureOption = Annotated[float | None, typer.Option(help="Lower is steadier.")]
TopKOption = Annotated[int | None, typer.Option("--top-k")]
TopPOption = Annotated[float | None, typer.Option("--top-p")]


@_command(npcs, "list")
async def _list_npcs(desk: Desk) -> None:
    """The NPCs of the project."""
    from kani_npc.v1 import npc_service_pb2 as pb

    found = await _all(desk.client.npcs.ListNpcs, pb.ListNpcsRequest, "npcs")
    header = ("ID", "NAME", "VOICE", "ACCENT", "LEXICON", "CHANGED")
    desk.table(
        header,
        found,
        lambda n: (
            *(n.id, n.display_name, n.voice, n.accent or "-", n.lexicon or "-"),
            _day(n.update_time),
        ),
    )


@_command(npcs, "show")
async def _show_npc(desk: Desk, id: IdArgument) -> None:
    """One NPC."""
    from kani_npc.v1 import npc_service_pb2 as pb

    desk.show((await desk.client.npcs.GetNpc(pb.GetNpcRequest(id=id))).npc)


@_command(npcs, "set")
async def _set_npc(
    desk: Desk,
    id: IdArgument,
    voice: Annotated[str | None, typer.Option(help="id, or id@revision.")] = None,
    accent: Annotated[str | None, typer.Option(help="An accent's id; '' for the voice's.")] = None,
    lexicon: Annotated[str | None, typer.Option(help="A lexicon's id.")] = None,
    name: Annotated[str | None, typer.Option("--name", help="What people call it.")] = None,
    label: LabelOption = None,
    gain_db: Annotated[float | None, typer.Option(help="-40 to 12.")] = None,
    pause_ms: Annotated[
        int | None, typer.Option(help="More silence between the pieces of a long line.")
    ] = None,
    edge_silence_ms: Annotated[
        int | None, typer.Option(help="Silence before and after a line.")
    ] = None,
    temperature: TemperatureOption = None,
    top_k: TopKOption = None,
    top_p: TopPOption = None,
    seed: Annotated[int | None, typer.Option(help="The seed of all its lines.")] = None,
    vary: Annotated[bool, typer.Option("--vary", help="Another take each time.")] = False,
) -> None:
    """Make an NPC, or change what is named of one that is there."""
    from kani_npc.v1 import npc_service_pb2 as pb

    if vary and seed is not None:
        raise SettingsError("--vary draws a seed; give one of --vary and --seed")
    fields: dict[str, Any] = {
        "display_name": name,
        "labels": _pairs(label, "--label") or None,
        "voice": voice,
        "accent": accent,
        "lexicon": lexicon,
        "delivery.gain_db": gain_db,
        "delivery.pause_ms": pause_ms,
        "delivery.edge_silence_ms": edge_silence_ms,
        **_sampling(temperature, top_k, top_p),
    }
    if vary or seed is not None:
        fields["seed_policy"] = pb.SEED_POLICY_VARY if vary else pb.SEED_POLICY_FIXED
    npc, paths = pb.Npc(id=id), _fill(fields)
    for path, value in paths.items():
        _put(npc, path, value)
    if seed is not None:
        npc.seed = seed
    if vary or seed is not None:
        paths["seed"] = seed
    stub, mask = desk.client.npcs, {"paths": list(paths)}
    desk.show(
        await _set(
            lambda: stub.UpdateNpc(pb.UpdateNpcRequest(npc=npc, update_mask=mask)),
            lambda: stub.CreateNpc(pb.CreateNpcRequest(npc=npc)),
            "npc",
            "NPC_NOT_FOUND",
        )
    )


@_command(npcs, "rm")
async def _delete_npc(desk: Desk, id: IdArgument) -> None:
    """Delete an NPC."""
    from kani_npc.v1 import npc_service_pb2 as pb

    await desk.client.npcs.DeleteNpc(pb.DeleteNpcRequest(id=id))
    desk.done(f"{id}: deleted")


# Accents


@_command(accents, "list")
async def _list_accents(desk: Desk) -> None:
    """The accents of the project, and those of the model."""
    from kani_npc.v1 import accent_service_pb2 as pb

    found = await _all(desk.client.accents.ListAccents, pb.ListAccentsRequest, "accents")
    desk.table(
        ("ID", "NAME", "TAG", "FROM"),
        found,
        lambda a: (a.id, a.display_name, a.tag, "the model" if a.builtin else "the project"),
    )


@_command(accents, "show")
async def _show_accent(desk: Desk, id: IdArgument) -> None:
    """One accent."""
    from kani_npc.v1 import accent_service_pb2 as pb

    desk.show((await desk.client.accents.GetAccent(pb.GetAccentRequest(id=id))).accent)


@_command(accents, "set")
async def _set_accent(
    desk: Desk,
    id: IdArgument,
    tag: Annotated[str | None, typer.Option(help="A language tag of the model.")] = None,
    name: Annotated[str | None, typer.Option("--name", help="What people call it.")] = None,
    temperature: TemperatureOption = None,
    top_k: TopKOption = None,
    top_p: TopPOption = None,
) -> None:
    """Make an accent, or change what is named of one that is there."""
    from kani_npc.v1 import accent_service_pb2 as pb

    accent = pb.Accent(id=id)
    paths = _fill({"display_name": name, "tag": tag, **_sampling(temperature, top_k, top_p)})
    for path, value in paths.items():
        _put(accent, path, value)
    stub, mask = desk.client.accents, {"paths": list(paths)}
    desk.show(
        await _set(
            lambda: stub.UpdateAccent(pb.UpdateAccentRequest(accent=accent, update_mask=mask)),
            lambda: stub.CreateAccent(pb.CreateAccentRequest(accent=accent)),
            "accent",
            "ACCENT_NOT_FOUND",
        )
    )


@_command(accents, "rm")
async def _delete_accent(desk: Desk, id: IdArgument) -> None:
    """Delete an accent of the project."""
    from kani_npc.v1 import accent_service_pb2 as pb

    await desk.client.accents.DeleteAccent(pb.DeleteAccentRequest(id=id))
    desk.done(f"{id}: deleted")


# Lexicons


@_command(lexicons, "list")
async def _list_lexicons(desk: Desk) -> None:
    """The lexicons of the project. Lines go through the one called `default`."""
    from kani_npc.v1 import lexicon_service_pb2 as pb

    found = await _all(desk.client.lexicons.ListLexicons, pb.ListLexiconsRequest, "lexicons")
    header = ("ID", "NAME", "REVISION", "WORDS", "CHANGED")
    desk.table(
        header,
        found,
        lambda x: (
            *(x.id, x.display_name, str(x.revision), str(len(x.entries))),
            _day(x.update_time),
        ),
    )


@_command(lexicons, "show")
async def _show_lexicon(desk: Desk, id: IdArgument) -> None:
    """One lexicon."""
    from kani_npc.v1 import lexicon_service_pb2 as pb

    desk.show((await desk.client.lexicons.GetLexicon(pb.GetLexiconRequest(id=id))).lexicon)


@_command(lexicons, "set")
async def _set_lexicon(
    desk: Desk,
    id: IdArgument,
    words: Annotated[list[str], typer.Argument(help="word=respelling; word= takes one out.")],
) -> None:
    """Put words into a lexicon, and make it if need be."""
    from kani_npc.client import ServiceError
    from kani_npc.v1 import lexicon_service_pb2 as pb

    stub, given = desk.client.lexicons, _pairs(words, "a word")
    try:
        lexicon = (await stub.GetLexicon(pb.GetLexiconRequest(id=id))).lexicon
    except ServiceError as error:
        if error.reason != "LEXICON_NOT_FOUND":
            raise
        lexicon = pb.Lexicon(id=id)
    for word, respelling in given.items():
        if respelling:
            lexicon.entries[word] = respelling
        else:
            lexicon.entries.pop(word, None)
    if lexicon.etag:  # which also says that nobody else wrote meanwhile
        request = pb.UpdateLexiconRequest(lexicon=lexicon, update_mask={"paths": ["entries"]})
        desk.show((await stub.UpdateLexicon(request)).lexicon)
    else:
        desk.show((await stub.CreateLexicon(pb.CreateLexiconRequest(lexicon=lexicon))).lexicon)


@_command(lexicons, "rm")
async def _delete_lexicon(desk: Desk, id: IdArgument) -> None:
    """Delete a lexicon."""
    from kani_npc.v1 import lexicon_service_pb2 as pb

    await desk.client.lexicons.DeleteLexicon(pb.DeleteLexiconRequest(id=id))
    desk.done(f"{id}: deleted")


# Consent and usage


@_command(consent, "revoke")
async def _revoke_consent(desk: Desk, id: IdArgument) -> None:
    """End the consent for a voice in all its revisions; its running lines end within a second, on every server."""
    from kani_npc.v1 import voice_service_pb2 as pb

    answer = await desk.client.voices.RevokeConsent(pb.RevokeConsentRequest(id=id))
    desk.show(answer.voice)


@usage.command("export")
def _export_usage(
    output: Annotated[
        str, typer.Option("--output", "-o", help="A CSV file, or - for stdout.")
    ] = "-",
    store: StoreOption = None,
    project: ProjectOption = "",
) -> None:
    """Write the usage ledger of a project as CSV: which voice, in which revision, spoke how much."""
    from kani_npc.voices.names import DEFAULT_PROJECT
    from kani_npc.voices.open import open_store
    from kani_npc.voices.store import Records
    from kani_npc.voices.usage import to_csv

    settings = serve_settings(store=store)

    async def export(write: Callable[[str], Any]) -> None:
        opened = await open_store(settings.store)
        try:
            async for part in to_csv(Records(opened).usage(project or DEFAULT_PROJECT)):
                write(part)
        finally:
            await opened.close()

    if output == "-":
        asyncio.run(export(sys.stdout.write))
    else:
        with open(output, "w", encoding="utf-8", newline="") as file:
            asyncio.run(export(file.write))


# What commands are made of


async def _all(method: Callable[..., Awaitable[Any]], request: Any, field: str) -> list[Any]:
    """Every resource, page by page."""
    found, token = [], ""
    while True:
        page = await method(request(page_size=500, page_token=token))
        found += getattr(page, field)
        if not (token := page.next_page_token):
            return found


async def _set(
    update: Callable[[], Awaitable[Any]],
    create: Callable[[], Awaitable[Any]],
    field: str,
    absent: str,
) -> Any:
    """Changes what is there, else makes it."""
    from kani_npc.client import ServiceError

    try:
        return getattr(await update(), field)
    except ServiceError as error:
        if error.reason != absent:
            raise
    return getattr(await create(), field)


def _fill(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {path: value for path, value in fields.items() if value is not None}


def _put(message: Any, path: str, value: Any) -> None:
    *parents, name = path.split(".")
    for parent in parents:
        message = getattr(message, parent)
    if isinstance(value, dict):
        getattr(message, name).update(value)
    else:
        setattr(message, name, value)


def _sampling(temperature: float | None, top_k: int | None, top_p: float | None) -> dict[str, Any]:
    return {
        "sampling.temperature": temperature,
        "sampling.top_k": top_k,
        "sampling.top_p": top_p,
    }


def _consent(
    synthetic: bool,
    own_voice: bool,
    holder: str,
    statement: str,
    scope: str,
    expires: datetime | None,
    statement_file: Path | None,
) -> dict[str, Any] | None:
    """A consent record in the wire's words; None where nothing was said of one."""
    granted = bool(holder or statement or scope or expires or statement_file)
    if synthetic + own_voice + granted > 1 and (synthetic or own_voice) and (statement or scope):
        raise SettingsError(
            "give one of --synthetic, --own-voice, and --holder with --statement and --scope"
        )
    if synthetic and own_voice:
        raise SettingsError("a voice is yours or nobody's: give one of --synthetic and --own-voice")
    if not (synthetic or own_voice or granted):
        return None
    kind = "SYNTHETIC" if synthetic else "OWN_VOICE" if own_voice else "GRANTED"
    record: dict[str, Any] = {
        "kind": f"CONSENT_KIND_{kind}",
        "holder": holder,
        "statement": statement,
        "scope": scope,
    }
    if expires is not None:
        record["expire_time"] = {"seconds": int(expires.replace(tzinfo=UTC).timestamp())}
    if statement_file is not None:
        record["statement_sha256"] = hashlib.sha256(statement_file.read_bytes()).hexdigest()
    return record


def _pairs(texts: Iterable[str] | None, what: str) -> dict[str, str]:
    pairs = {}
    for text in texts or ():
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise SettingsError(f"{what} is written key=value, not {text!r}")
        pairs[key] = value
    return pairs


def _number(text: str, what: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise SettingsError(f"{what} must be a number, not {text!r}") from None


def _consent_state(voice: Any) -> str:
    if not voice.HasField("consent"):
        return "of its parents" if voice.parents else "-"
    if voice.consent.HasField("revoke_time"):
        return f"revoked {_day(voice.consent.revoke_time)}"
    if voice.consent.HasField("expire_time"):
        return f"until {_day(voice.consent.expire_time)}"
    return ("", "granted", "own voice", "synthetic")[voice.consent.kind]


def _day(stamp: Any) -> str:
    return f"{stamp.ToDatetime():%Y-%m-%d}" if stamp.seconds else "-"


@contextmanager
def _uploading(what: str, num_bytes: int) -> Iterator[None]:
    """Says on a terminal what is on its way, and for how long. (A unary call does not say how much of it has gone.)"""
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    size = f", {num_bytes / 2**20:.1f} MiB" if num_bytes else ""
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as progress:
        progress.add_task(f"sent and listened to: {what}{size}", total=None)
        yield
