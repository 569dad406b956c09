"""Makes one voice revision of what training made, on a running service; or a model folder that has it built in.

A voice gets its embedding, an adapter of the language model, a delta of the codec's decoder, a language tag, a consent
record and the report on the recordings, and beside it an accent preset and the NPC that speaks with both; all of it is
published through `kani_npc.v1` as any client would. What is not given stays as it was. Knows no server's inside:
whether an adapter fits, the server says.
"""

import asyncio
import hashlib
import json
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from google.protobuf import json_format

from kani_npc import models
from kani_npc.client import Client, ServiceError
from kani_npc.codec.delta import load as load_delta
from kani_npc.codec.delta import pack, with_delta
from kani_npc.codec.load import load_codec
from kani_npc.codec.nanocodec import NanoCodec
from kani_npc.codec.source_filter import SourceFilterCodec
from kani_npc.errors import BundleError, CheckpointError
from kani_npc.lm.adapters import Lora, merge, read_peft
from kani_npc.lm.config import read_json
from kani_npc.lm.load import load_lm, save_lm
from kani_npc.speech import SpeakerEmbedding
from kani_npc.v1 import accent_service_pb2 as accent_pb
from kani_npc.v1 import npc_service_pb2 as npc_pb
from kani_npc.v1 import voice_service_pb2 as pb
from kani_npc.voices.bundle import Bundle, read_bundle, read_pt, write_bundle
from kani_npc.voices.names import check_id
from kani_npc.voices.records import VoiceRecord, VoiceSource

T = TypeVar("T")

UPLOAD_S = 300.0
MODEL_FILES = ("*.json", "*.safetensors", "*.xz", "*.md", "LICENSE*", "NOTICE*")


@dataclass(frozen=True, slots=True)
class Character:
    """What training made of an actor; what is None is not given."""

    lora: Lora | None = None
    codec_delta: bytes | None = None
    embedding: SpeakerEmbedding | None = None
    report: bytes | None = None


def read_character(
    *,
    model: str | None = None,
    adapter: Path | None = None,
    codec_delta: Path | None = None,
    data: Path | None = None,
    speaker: str | None = None,
    embedding: Path | None = None,
    report: Path | None = None,
) -> Character:
    """Reads it from disk. `model` is what it was trained on, by default what the adapter names; `data` the rows of
    `prepare`, whose embedding of the speaker and whose report are taken; `embedding` a `.pt` file instead.

    Raises `ValueError`, `ModelError`, `BundleError` and `OSError` that say which file is wrong, and what in it.
    """
    named = models.resolve_model(model or _trained_on(adapter))
    space = str(_config(named).get("speaker_space") or models.PUBLISHED_SPEAKER_ENCODER)
    speaks = None
    if embedding is not None:
        speaks = read_pt(embedding.read_bytes(), id="x", space=space).embedding
    elif data is not None:
        speaks = SpeakerEmbedding(_of_speaker(data, speaker), space)
    if report is None and data is not None:
        beside = (data.parent if data.name == "rows" else data) / "report.json"
        report = beside if beside.is_file() else None
    delta = None
    if codec_delta is not None:
        delta = codec_delta.read_bytes()
        load_delta(delta)  # is one, at least
    return Character(
        lora=None if adapter is None else read_peft(adapter, named),
        codec_delta=delta,
        embedding=speaks,
        report=None if report is None else report.read_bytes(),
    )


def _small_enough(
    written: Callable[[bytes | None, bytes | None], bytes], lora: bytes | None, delta: bytes | None
) -> bytes:
    """What is `written` of adapter and delta: as they are, or rounded as little as makes an upload of them.

    The adapter in half precision; if that is not enough, the adapter in 8 bits and the delta packed.
    """
    forms = (
        lambda: (lora, delta),
        lambda: (lora and Lora.from_bytes(lora).half().to_bytes(), delta),
        lambda: (
            lora and Lora.from_bytes(lora).to_bytes(in_8_bits=True),
            delta and pack(load_delta(delta)).to_bytes(),
        ),
    )
    for form in forms:
        with suppress(BundleError):
            return written(*form())
    raise BundleError(
        "this voice is too large for one file of 32 MiB, rounded too; a model folder with it (--merge) can be served, "
        "or a delta of fewer layers published"
    )


def read_consent(said: str) -> pb.Consent | None:
    """`synthetic`, `own-voice`, or a JSON file with kind, holder, statement, scope, expires; None for nothing.

    Raises `ValueError`, `OSError`.
    """
    if not said:
        return None
    record = {"kind": said} if said in ("synthetic", "own-voice") else _json(Path(said))
    known = {"kind", "holder", "statement", "scope", "expires", "statement_sha256"}
    if unknown := record.keys() - known:
        raise ValueError(
            f"{said}: {min(unknown)!r} is no part of a consent; there are {sorted(known)}"
        )
    if not all(isinstance(value, str) for value in record.values()):
        raise ValueError(f"{said}: the parts of a consent are texts")
    kind = f"CONSENT_KIND_{record.get('kind', '').replace('-', '_').upper()}"
    if kind not in dict(pb.ConsentKind.items()):
        raise ValueError(f"{said}: kind must be granted, own_voice or synthetic")
    texts = {name: text for name, text in record.items() if name not in ("kind", "expires")}
    consent = json_format.ParseDict({"kind": kind, **texts}, pb.Consent())
    if "expires" in record:
        expires = datetime.fromisoformat(record["expires"])
        consent.expire_time.FromDatetime(expires if expires.tzinfo else expires.replace(tzinfo=UTC))
    return consent


def read_accent(path: Path) -> accent_pb.Accent:
    """A preset in a JSON file: id and tag; display_name, labels and sampling (the fields of the wire's `Sampling`)
    where it has them. Raises `ValueError`."""
    record = _json(path)
    known = {"id", "tag", "display_name", "labels", "sampling"}
    if unknown := record.keys() - known:
        raise ValueError(
            f"{path}: {min(unknown)!r} is no part of an accent preset; there are {', '.join(sorted(known))}"
        )
    for name in ("id", "tag"):
        if not record.get(name):
            raise ValueError(f"{path}: {name} is missing")
    try:
        return json_format.ParseDict(record, accent_pb.Accent())
    except json_format.ParseError as error:
        raise ValueError(f"{path}: {' '.join(str(error).split())}") from None


async def publish(
    client: Client,
    id: str,
    character: Character,
    *,
    about: Mapping[str, Any] | None = None,
    consent: pb.Consent | None = None,
    accent: accent_pb.Accent | None = None,
    npc: str = "",
) -> pb.Voice:
    """The voice as the service has it now: a new one, or the next revision of the one that is called so.

    `about` has the display_name, tag, licence and labels that it shall have; without a `consent` a voice that is there
    keeps its own. With an `accent` there is that preset, and the voice takes its tag; with an `npc` there is one that
    speaks with the voice, and with the accent where one is given. Where voice or accent are refused neither is changed.

    Raises `ServiceError`, `BundleError` for what is too large for one voice, `InvalidRecord` for an id that is none,
    and `ValueError` for two tags and for what could be published in part only, which it names.
    """
    if npc:
        check_id(npc, field="npc")
    about = dict(about or {})
    if accent is not None:
        if about.get("tag") not in (None, "", accent.tag):
            raise ValueError(f"the tag is {about['tag']!r}, the accent's {accent.tag!r}; give one")
        about["tag"] = accent.tag
    async with nullcontext() if accent is None else _preset(client, accent):
        voice = await _publish_voice(client, id, character, about, consent)
    if npc:
        speaks = npc_pb.Npc(id=npc, voice=id, accent=accent.id if accent else "")
        try:
            await _put_npc(client, speaks)
        except ServiceError as error:
            raise ValueError(
                f"{id}@{voice.revision} is published, but not npc {npc}: {error}"
            ) from None
    return voice


@asynccontextmanager
async def _preset(client: Client, accent: accent_pb.Accent) -> AsyncIterator[None]:
    """Inside, the preset is as `accent` says. What fails there leaves it as it was before."""
    before = await _unless_absent(
        client.accents.GetAccent(accent_pb.GetAccentRequest(id=accent.id))
    )
    if before is None:
        request = accent_pb.CreateAccentRequest(accent=accent)
        etag = (await client.accents.CreateAccent(request)).accent.etag
    else:
        request = accent_pb.UpdateAccentRequest(accent=accent)
        etag = (await client.accents.UpdateAccent(request)).accent.etag
    try:
        yield
    except BaseException as failure:
        try:
            if before is None:
                gone = accent_pb.DeleteAccentRequest(id=accent.id, etag=etag)
                await client.accents.DeleteAccent(gone)
            else:
                before.accent.etag = etag  # unless somebody else has changed it since
                back = accent_pb.UpdateAccentRequest(
                    accent=before.accent, update_mask={"paths": ["*"]}
                )
                await client.accents.UpdateAccent(back)
        except ServiceError as error:
            raise ValueError(
                f"{failure}; accent {accent.id} is published all the same: {error}"
            ) from failure
        raise


async def _put_npc(client: Client, npc: npc_pb.Npc) -> None:
    """The NPC is there; of one that was, what `npc` does not say stays."""
    if await _unless_absent(client.npcs.GetNpc(npc_pb.GetNpcRequest(id=npc.id))) is None:
        await client.npcs.CreateNpc(npc_pb.CreateNpcRequest(npc=npc))
    else:
        await client.npcs.UpdateNpc(npc_pb.UpdateNpcRequest(npc=npc))


async def _publish_voice(
    client: Client,
    id: str,
    character: Character,
    about: Mapping[str, Any],
    consent: pb.Consent | None,
) -> pb.Voice:
    """See `publish`."""
    current, etag = await _current(client, id)
    before = current or Bundle(VoiceRecord(id=id))
    parts: dict[str, bytes] = {}

    def had(name: str | None) -> bytes | None:
        return None if name is None else before.parts[name]

    def part(data: bytes | None) -> str | None:
        if data is None:
            return None
        parts[sha256 := hashlib.sha256(data).hexdigest()] = data
        return sha256

    def written(lora: bytes | None, delta: bytes | None) -> bytes:
        parts.clear()
        voice = replace(
            before.voice,
            source=VoiceSource.FINE_TUNED,
            embedding=character.embedding or before.voice.embedding,
            lora=part(lora),
            codec_delta=part(delta),
            report=part(character.report or had(before.voice.report)),
            **{name: value for name, value in about.items() if value},
        )
        return write_bundle(Bundle(voice, parts))

    # What the voice had already takes room too, and is rounded with the rest where it must be.
    bundle = _small_enough(
        written,
        character.lora.to_bytes() if character.lora else had(before.voice.lora),
        character.codec_delta or had(before.voice.codec_delta),
    )
    request = pb.ImportVoiceRequest(
        bundle=bundle,
        id=id,
        consent=consent,
        revise=current is not None,
        etag=etag,
    )
    return (await client.voices.ImportVoice(request, timeout_s=UPLOAD_S)).voice


def run(server: str, id: str, character: Character, *, project: str = "", **said: Any) -> pb.Voice:
    """`publish` to the service at `server`. Raises `ValueError` with what the service answered instead."""
    if not server:
        raise ValueError("--server must be host:port of a running service")

    async def over_the_wire() -> pb.Voice:
        async with Client(server, timeout_s=30.0, project=project) as client:
            return await publish(client, id, character, **said)

    try:
        return asyncio.run(over_the_wire())
    except ServiceError as error:
        raise ValueError(f"{server}: {error}") from None


async def _unless_absent(answer: Awaitable[T]) -> T | None:
    """The answer; None where nothing is called so yet."""
    try:
        return await answer
    except ServiceError as error:
        if error.status == "NOT_FOUND":
            return None
        raise


async def _current(client: Client, id: str) -> tuple[Bundle | None, str]:
    """The voice as it is, without its recordings, and its etag; none of both where there is no such voice."""
    there = await _unless_absent(client.voices.GetVoice(pb.GetVoiceRequest(id=id)))
    if there is None:
        return None, ""
    exported = await client.voices.ExportVoice(pb.ExportVoiceRequest(voice=id), timeout_s=UPLOAD_S)
    return read_bundle(exported.bundle), there.voice.etag


def write_model(
    out: Path,
    *,
    model: str | None = None,
    adapter: Path | None = None,
    codec_delta: Path | None = None,
    codec: str | None = None,
    say: Callable[[str], None] = print,
) -> None:
    """A model folder with the adapter merged into its weights (float32) and a whole codec; the rest is the base's.

    Appears whole or not at all. Raises `ValueError` for a folder that is there already, `ModelError`, `OSError`.
    """
    base = models.resolve_model(model or _trained_on(adapter))
    if out.exists():
        raise ValueError(f"{out} is there already; name a new folder")
    draft = out.with_name(f".{out.name}.part")
    shutil.rmtree(draft, ignore_errors=True)
    try:
        draft.mkdir(parents=True)
        for pattern in MODEL_FILES:
            for path in base.glob(pattern):
                shutil.copyfile(path, draft / path.name)
        if (base / "speaker").is_dir():
            shutil.copytree(base / "speaker", draft / "speaker")
        if adapter is not None:
            say("merging the adapter")
            config = _config(base)
            save_lm(merge(load_lm(base), read_peft(adapter, base)), draft)
            # What the language model's own class does not know of.
            written = config | _config(draft)
            (draft / "config.json").write_text(json.dumps(written, indent=2, sort_keys=True) + "\n")
            for path in draft.glob("model-*.safetensors*"):  # shards of the base
                path.unlink()
            (draft / "model.safetensors.index.json").unlink(missing_ok=True)
        where = Path(codec) if codec else base / "codec"
        if codec_delta is not None:
            say("writing the whole codec")
            tuned = with_delta(load_codec(where), load_delta(codec_delta))
            assert isinstance(tuned, NanoCodec | SourceFilterCodec)
            tuned.save(draft / "codec")
        elif where.is_dir():
            shutil.copytree(where, draft / "codec")
        draft.replace(out)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _trained_on(adapter: Path | None) -> str:
    """The model that peft wrote down, where nobody says another."""
    if adapter is None:
        return "tiny"
    named = read_json(adapter / "adapter_config.json").get("base_model_name_or_path")
    if not isinstance(named, str) or not named:
        raise ValueError(f"{adapter} does not say which model it was trained on; pass --model")
    return named


def _config(folder: Path) -> dict[str, Any]:
    return read_json(folder / "config.json")


def _json(path: Path) -> dict[str, Any]:
    """A JSON object that somebody wrote for us. Raises `ValueError`."""
    try:
        return read_json(path)
    except CheckpointError as error:
        raise ValueError(str(error)) from None


def _of_speaker(data: Path, speaker: str | None) -> np.ndarray:
    """The mean of a speaker's takes, of unit length, as `prepare` wrote it with each row."""
    from finetune.rows import Source, rows

    found: dict[str, np.ndarray] = {}
    for row in rows(Source(str(data))):
        if row.speaker_emb is not None and (speaker is None or row.speaker == speaker):
            found.setdefault(row.speaker, row.speaker_emb)
    if len(found) != 1:
        which = ", ".join(sorted(found)) or "nobody of that name"
        raise ValueError(f"{data} has {which}; name one with --speaker")
    vector = next(iter(found.values())).astype(np.float32)
    return vector / np.linalg.norm(vector)
