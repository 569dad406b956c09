"""VoiceService: who can speak, where they came from, who allows it. `Registry` has the rules; here are the words.

Recordings are heard by an `Enroller`, whose worker process is the only one that decodes them.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import Any

import grpc
import numpy as np

from kani_npc.errors import (
    AlreadyExists,
    FailedPrecondition,
    InvalidRecord,
    NotFound,
    SpaceMismatch,
    StaleEtag,
)
from kani_npc.server.resources import (
    given,
    head,
    merged,
    project_of,
    to_time,
    to_timestamp,
    update_paths,
)
from kani_npc.speaker.embedder import Embedder
from kani_npc.speaker.enrollment import Enrolled
from kani_npc.speech import SpeakerEmbedding
from kani_npc.v1 import voice_service_pb2 as pb
from kani_npc.v1 import voice_service_pb2_grpc as rpc
from kani_npc.voices.consent import Consent, ConsentKind
from kani_npc.voices.encoding import content_hash
from kani_npc.voices.names import VoiceRef
from kani_npc.voices.records import VoiceRecord, VoiceSource
from kani_npc.voices.registry import Registry
from kani_npc.voices.transfer import export_voice, import_voice

_WRITABLE = {"display_name", "labels", "tag", "licence", "consent", "embedding"}
_SOURCES = {
    pb.VOICE_SOURCE_UNSPECIFIED: VoiceSource.ENROLLED,
    pb.VOICE_SOURCE_ENROLLED: VoiceSource.ENROLLED,
    pb.VOICE_SOURCE_IMPORTED: VoiceSource.IMPORTED,
    pb.VOICE_SOURCE_FINE_TUNED: VoiceSource.FINE_TUNED,
}
_CONSENT_KINDS = {
    pb.CONSENT_KIND_GRANTED: ConsentKind.GRANTED,
    pb.CONSENT_KIND_OWN_VOICE: ConsentKind.OWN_VOICE,
    pb.CONSENT_KIND_SYNTHETIC: ConsentKind.SYNTHETIC,
}


class Enroller:
    """The server's speaker encoder, opened when it is first asked for: it may have to be fetched.

    `open` blocks and raises `ModelError`; `space` is what the model takes.
    """

    def __init__(self, open: Callable[[], Embedder], space: str) -> None:
        self._open = open
        self._space = space
        self._embedder: Embedder | None = None
        self._turn = asyncio.Lock()

    async def enroll(self, clips: Sequence[bytes]) -> Enrolled:
        """See `Embedder.enroll`. Raises `SpaceMismatch` before anything is heard that the model could not speak."""
        async with self._turn:
            if self._embedder is None:
                self._embedder = await asyncio.to_thread(self._open)
        if self._embedder.space != self._space:
            raise SpaceMismatch(
                f"this server's speaker encoder makes embeddings of {self._embedder.space!r}, its model takes "
                f"{self._space!r}; start it with the --speaker-encoder of the model"
            )
        return await self._embedder.enroll(clips)


class VoiceService(rpc.VoiceServiceServicer):
    """One for all calls."""

    def __init__(self, registry: Registry, enroller: Enroller) -> None:
        self._registry = registry
        self._enroller = enroller

    async def CreateVoice(
        self, request: pb.CreateVoiceRequest, context: grpc.aio.ServicerContext
    ) -> pb.CreateVoiceResponse:
        message: pb.Voice = given(request, "voice")
        if message.source not in _SOURCES:
            raise InvalidRecord(
                "a voice is created as enrolled, imported or fine-tuned", field="voice.source"
            )
        record = replace(
            to_voice(message), source=_SOURCES[message.source], embedding=_embedding(message)
        )
        made = await self._registry.create(
            project_of(context), record, request_id=request.request_id
        )
        return pb.CreateVoiceResponse(voice=from_voice(made))

    async def GetVoice(
        self, request: pb.GetVoiceRequest, context: grpc.aio.ServicerContext
    ) -> pb.GetVoiceResponse:
        voice = await self._registry.get(VoiceRecord, project_of(context), request.id)
        return pb.GetVoiceResponse(voice=from_voice(voice))

    async def ListVoices(
        self, request: pb.ListVoicesRequest, context: grpc.aio.ServicerContext
    ) -> pb.ListVoicesResponse:
        page = await self._registry.list(
            VoiceRecord,
            project_of(context),
            page_size=request.page_size,
            page_token=request.page_token,
        )
        return pb.ListVoicesResponse(
            voices=map(from_voice, page.records), next_page_token=page.next_page_token
        )

    async def UpdateVoice(
        self, request: pb.UpdateVoiceRequest, context: grpc.aio.ServicerContext
    ) -> pb.UpdateVoiceResponse:
        wanted: pb.Voice = given(request, "voice")
        paths = update_paths(request.update_mask, wanted, _WRITABLE)
        if any(path.startswith("consent.revoke_time") for path in paths):
            raise InvalidRecord(
                "a revocation is not taken back; give a new consent record", field="update_mask"
            )

        def change(current: VoiceRecord) -> VoiceRecord:
            message = merged(from_voice(current), wanted, paths)
            changed = to_voice(message)
            embedding = current.embedding
            if any(path.partition(".")[0] == "embedding" for path in paths):
                embedding = _embedding(wanted)
            return replace(
                current,
                display_name=changed.display_name,
                labels=changed.labels,
                tag=changed.tag,
                licence=changed.licence,
                consent=changed.consent,
                embedding=embedding,
            )

        voice = await self._registry.update(
            VoiceRecord, project_of(context), wanted.id, change, etag=wanted.etag
        )
        return pb.UpdateVoiceResponse(voice=from_voice(voice))

    async def DeleteVoice(
        self, request: pb.DeleteVoiceRequest, context: grpc.aio.ServicerContext
    ) -> pb.DeleteVoiceResponse:
        await self._registry.delete(VoiceRecord, project_of(context), request.id, etag=request.etag)
        return pb.DeleteVoiceResponse()

    async def ListVoiceRevisions(
        self, request: pb.ListVoiceRevisionsRequest, context: grpc.aio.ServicerContext
    ) -> pb.ListVoiceRevisionsResponse:
        page = await self._registry.revisions(
            VoiceRecord,
            project_of(context),
            request.id,
            page_size=request.page_size,
            page_token=request.page_token,
        )
        return pb.ListVoiceRevisionsResponse(
            voices=map(from_voice, page.records), next_page_token=page.next_page_token
        )

    async def GetVoiceRevision(
        self, request: pb.GetVoiceRevisionRequest, context: grpc.aio.ServicerContext
    ) -> pb.GetVoiceRevisionResponse:
        voice = await self._registry.revision(
            VoiceRecord, project_of(context), request.id, request.revision
        )
        return pb.GetVoiceRevisionResponse(voice=from_voice(voice))

    async def RollBackVoice(
        self, request: pb.RollBackVoiceRequest, context: grpc.aio.ServicerContext
    ) -> pb.RollBackVoiceResponse:
        voice = await self._registry.roll_back(
            VoiceRecord, project_of(context), request.id, request.revision, etag=request.etag
        )
        return pb.RollBackVoiceResponse(voice=from_voice(voice))

    async def EnrollVoice(
        self, request: pb.EnrollVoiceRequest, context: grpc.aio.ServicerContext
    ) -> pb.EnrollVoiceResponse:
        project, message = project_of(context), given(request, "voice")
        if request.revise:
            # From the store itself: an etag may be newer than what was heard here.
            current = await self._registry.records.get(VoiceRecord, project, message.id)
            if message.etag not in ("", current.etag):
                raise StaleEtag(
                    f"voice {current.id!r} has changed since it was read; its etag is {current.etag!r}",
                    current=current.etag,
                )
            record = _revised(current, message)
        else:
            record = to_voice(message)
            # Before the seconds that hearing takes: without consent nothing is heard, and an id that is taken is.
            await self._registry.check_new(project, record)
            if not request.request_id:
                await self._check_free(project, record.id)
        enrolled = await self._enroller.enroll(request.clips)
        kept = list(request.clips) if request.keep_clips else []
        async with self._registry.records.keeping(project, kept) as clips:

            def heard(voice: VoiceRecord) -> VoiceRecord:
                return replace(
                    voice,
                    embedding=enrolled.embedding,
                    clips=clips,
                    source=VoiceSource.ENROLLED,
                    parents=(),
                    # Were trained with the embedding that it had.
                    lora=None,
                    codec_delta=None,
                    report=None,
                )

            if request.revise:
                voice = await self._registry.update(
                    VoiceRecord,
                    project,
                    record.id,
                    lambda current: heard(_revised(current, message)),
                    etag=message.etag,
                )
            else:
                voice = await self._registry.create(
                    project, heard(record), request_id=request.request_id
                )
        return pb.EnrollVoiceResponse(
            voice=from_voice(voice),
            clips=[pb.ClipReport(**asdict(clip)) for clip in enrolled.clips],
        )

    async def BlendVoices(
        self, request: pb.BlendVoicesRequest, context: grpc.aio.ServicerContext
    ) -> pb.BlendVoicesResponse:
        voice = await self._registry.blend(
            project_of(context),
            to_voice(given(request, "voice")),
            [(share.voice, share.weight) for share in request.shares],
            request_id=request.request_id,
        )
        return pb.BlendVoicesResponse(voice=from_voice(voice))

    async def ReembedVoice(
        self, request: pb.ReembedVoiceRequest, context: grpc.aio.ServicerContext
    ) -> pb.ReembedVoiceResponse:
        project, records = project_of(context), self._registry.records
        voice = await self._registry.get(VoiceRecord, project, request.id)
        if not voice.clips:
            raise FailedPrecondition(
                f"voice {voice.id!r} kept no recordings; enrol it again, and keep them this time"
            )
        if voice.consent is not None:
            voice.consent.check(voice.id, records.now())
        clips = [await records.get_artefact(project, sha256) for sha256 in voice.clips]
        enrolled = await self._enroller.enroll(clips)
        # If somebody enrolled it again meanwhile, that stays: the etag is of what was heard.
        voice = await self._registry.update(
            VoiceRecord,
            project,
            voice.id,
            lambda current: replace(current, embedding=enrolled.embedding),
            etag=request.etag or voice.etag,
        )
        return pb.ReembedVoiceResponse(voice=from_voice(voice))

    async def ExportVoice(
        self, request: pb.ExportVoiceRequest, context: grpc.aio.ServicerContext
    ) -> pb.ExportVoiceResponse:
        ref = VoiceRef.parse(request.voice)
        bundle = await export_voice(
            self._registry, project_of(context), request.voice, with_clips=request.with_clips
        )
        return pb.ExportVoiceResponse(bundle=bundle, file_name=f"{ref.id}.voice.safetensors")

    async def ImportVoice(
        self, request: pb.ImportVoiceRequest, context: grpc.aio.ServicerContext
    ) -> pb.ImportVoiceResponse:
        voice = await import_voice(
            self._registry,
            project_of(context),
            request.bundle,
            id=request.id,
            consent=_consent(request.consent) if request.HasField("consent") else None,
            space=request.space,
            request_id=request.request_id,
            revise=request.revise,
            etag=request.etag,
        )
        return pb.ImportVoiceResponse(voice=from_voice(voice))

    async def RevokeConsent(
        self, request: pb.RevokeConsentRequest, context: grpc.aio.ServicerContext
    ) -> pb.RevokeConsentResponse:
        voice = await self._registry.revoke(project_of(context), request.id, etag=request.etag)
        return pb.RevokeConsentResponse(voice=from_voice(voice))

    async def _check_free(self, project: str, id: str) -> None:
        try:
            taken = await self._registry.get(VoiceRecord, project, id)
        except NotFound:
            return
        raise AlreadyExists(
            f"voice {id!r} is taken; `revise` makes its next revision", current=taken.etag
        )


def to_voice(message: pb.Voice) -> VoiceRecord:
    """What a request may say of any voice: not its sound. Raises `InvalidRecord`."""
    return VoiceRecord(
        id=message.id,
        display_name=message.display_name,
        labels=message.labels,
        tag=message.tag or None,
        licence=message.licence,
        consent=_consent(message.consent) if message.HasField("consent") else None,
    )


def from_voice(voice: VoiceRecord) -> pb.Voice:
    """Without the embedding's values: whoever may have them exports the voice."""
    message = pb.Voice(
        **head(voice),
        source=f"VOICE_SOURCE_{voice.source.name}",
        tag=voice.tag or "",
        licence=voice.licence,
        parents=[pb.BlendShare(voice=p.voice, weight=p.weight) for p in voice.parents],
        num_clips=len(voice.clips),
        content_hash=content_hash(voice),
        lora=voice.lora or "",
        codec_delta=voice.codec_delta or "",
        report=voice.report or "",
    )
    if voice.embedding is not None:
        message.embedding.space = voice.embedding.space
    if (consent := voice.consent) is not None:
        message.consent.CopyFrom(
            pb.Consent(
                kind=f"CONSENT_KIND_{consent.kind.name}",
                holder=consent.holder,
                statement=consent.statement,
                scope=consent.scope,
                statement_sha256=consent.statement_sha256,
            )
        )
        for field, time in (("expire_time", consent.expires), ("revoke_time", consent.revoked)):
            if time is not None:
                getattr(message.consent, field).CopyFrom(to_timestamp(time))
    return message


def _consent(message: pb.Consent) -> Consent:
    if message.kind not in _CONSENT_KINDS:
        raise InvalidRecord(
            "a consent is granted by its holder, or the voice is declared your own or synthetic",
            field="consent.kind",
        )
    return Consent(
        kind=_CONSENT_KINDS[message.kind],
        holder=message.holder,
        statement=message.statement,
        scope=message.scope,
        expires=to_time(message, "expire_time", of="consent"),
        statement_sha256=message.statement_sha256,
        revoked=to_time(message, "revoke_time", of="consent"),
    )


def _embedding(message: pb.Voice) -> SpeakerEmbedding | None:
    if not message.HasField("embedding"):
        return None
    vector = np.array(message.embedding.values, dtype=np.float32)
    return SpeakerEmbedding(vector=vector, space=message.embedding.space)


def _revised(current: VoiceRecord, message: pb.Voice) -> VoiceRecord:
    """`current`, changed where `message` says something."""
    said: dict[str, Any] = {
        name: getattr(message, name) for name in ("display_name", "tag", "licence", "labels")
    }
    changes = {name: value for name, value in said.items() if value}
    if message.HasField("consent"):
        changes["consent"] = _consent(message.consent)
    return replace(current, **changes)
