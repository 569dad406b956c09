"""AccentService: the accents of a project. `Registry` has the rules; here are the wire's words for them."""

import grpc

from kani_npc.server.resources import (
    from_overrides,
    given,
    head,
    merged,
    project_of,
    to_overrides,
    update_paths,
)
from kani_npc.v1 import accent_service_pb2 as pb
from kani_npc.v1 import accent_service_pb2_grpc as rpc
from kani_npc.voices.records import AccentRecord
from kani_npc.voices.registry import Registry

_WRITABLE = {"display_name", "labels", "tag", "sampling"}


class AccentService(rpc.AccentServiceServicer):
    """One for all calls."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    async def CreateAccent(
        self, request: pb.CreateAccentRequest, context: grpc.aio.ServicerContext
    ) -> pb.CreateAccentResponse:
        accent = to_accent(given(request, "accent"))
        made = await self._registry.create(
            project_of(context), accent, request_id=request.request_id
        )
        return pb.CreateAccentResponse(accent=from_accent(made))

    async def GetAccent(
        self, request: pb.GetAccentRequest, context: grpc.aio.ServicerContext
    ) -> pb.GetAccentResponse:
        accent = await self._registry.get(AccentRecord, project_of(context), request.id)
        return pb.GetAccentResponse(accent=from_accent(accent))

    async def ListAccents(
        self, request: pb.ListAccentsRequest, context: grpc.aio.ServicerContext
    ) -> pb.ListAccentsResponse:
        page = await self._registry.list(
            AccentRecord,
            project_of(context),
            page_size=request.page_size,
            page_token=request.page_token,
        )
        return pb.ListAccentsResponse(
            accents=map(from_accent, page.records), next_page_token=page.next_page_token
        )

    async def UpdateAccent(
        self, request: pb.UpdateAccentRequest, context: grpc.aio.ServicerContext
    ) -> pb.UpdateAccentResponse:
        wanted: pb.Accent = given(request, "accent")
        paths = update_paths(request.update_mask, wanted, _WRITABLE)

        def change(current: AccentRecord) -> AccentRecord:
            return to_accent(merged(from_accent(current), wanted, paths))

        accent = await self._registry.update(
            AccentRecord, project_of(context), wanted.id, change, etag=wanted.etag
        )
        return pb.UpdateAccentResponse(accent=from_accent(accent))

    async def DeleteAccent(
        self, request: pb.DeleteAccentRequest, context: grpc.aio.ServicerContext
    ) -> pb.DeleteAccentResponse:
        await self._registry.delete(
            AccentRecord, project_of(context), request.id, etag=request.etag
        )
        return pb.DeleteAccentResponse()


def to_accent(message: pb.Accent) -> AccentRecord:
    """Raises `InvalidRecord`."""
    return AccentRecord(
        id=message.id,
        display_name=message.display_name,
        labels=message.labels,
        tag=message.tag,
        sampling=to_overrides(message.sampling),
    )


def from_accent(accent: AccentRecord) -> pb.Accent:
    return pb.Accent(
        **head(accent),
        tag=accent.tag,
        sampling=from_overrides(accent.sampling),
        builtin=not accent.etag,  # the store gives everything else one
    )
