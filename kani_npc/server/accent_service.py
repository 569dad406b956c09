"""AccentService: the accents of a project. `Registry` has the rules; here are the wire's words for them."""

import grpc

from kani_npc.server.resources import Resources, from_overrides, given, head, to_overrides
from kani_npc.v1 import accent_service_pb2 as pb
from kani_npc.v1 import accent_service_pb2_grpc as rpc
from kani_npc.voices.records import AccentRecord
from kani_npc.voices.registry import Registry

_WRITABLE = {"display_name", "labels", "tag", "sampling"}


class AccentService(rpc.AccentServiceServicer):
    """One for all calls."""

    def __init__(self, registry: Registry) -> None:
        self._accents = Resources(registry, AccentRecord, to_accent, from_accent, _WRITABLE)

    async def CreateAccent(
        self, request: pb.CreateAccentRequest, context: grpc.aio.ServicerContext
    ) -> pb.CreateAccentResponse:
        accent = await self._accents.create(context, given(request, "accent"), request.request_id)
        return pb.CreateAccentResponse(accent=accent)

    async def GetAccent(
        self, request: pb.GetAccentRequest, context: grpc.aio.ServicerContext
    ) -> pb.GetAccentResponse:
        return pb.GetAccentResponse(accent=await self._accents.get(context, request.id))

    async def ListAccents(
        self, request: pb.ListAccentsRequest, context: grpc.aio.ServicerContext
    ) -> pb.ListAccentsResponse:
        accents, token = await self._accents.list(context, request)
        return pb.ListAccentsResponse(accents=accents, next_page_token=token)

    async def UpdateAccent(
        self, request: pb.UpdateAccentRequest, context: grpc.aio.ServicerContext
    ) -> pb.UpdateAccentResponse:
        accent = await self._accents.update(context, given(request, "accent"), request.update_mask)
        return pb.UpdateAccentResponse(accent=accent)

    async def DeleteAccent(
        self, request: pb.DeleteAccentRequest, context: grpc.aio.ServicerContext
    ) -> pb.DeleteAccentResponse:
        await self._accents.delete(context, request)
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
