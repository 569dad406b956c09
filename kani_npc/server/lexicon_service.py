"""LexiconService: how a project's words are said. `Registry` has the rules; here are the wire's words for them."""

import grpc

from kani_npc.server.resources import Resources, given, head, project_of
from kani_npc.v1 import lexicon_service_pb2 as pb
from kani_npc.v1 import lexicon_service_pb2_grpc as rpc
from kani_npc.voices.records import Lexicon
from kani_npc.voices.registry import Registry

_WRITABLE = {"display_name", "labels", "entries"}


class LexiconService(rpc.LexiconServiceServicer):
    """One for all calls."""

    def __init__(self, registry: Registry) -> None:
        self._lexicons = Resources(registry, Lexicon, to_lexicon, from_lexicon, _WRITABLE)
        self._registry = registry

    async def CreateLexicon(
        self, request: pb.CreateLexiconRequest, context: grpc.aio.ServicerContext
    ) -> pb.CreateLexiconResponse:
        lexicon = await self._lexicons.create(
            context, given(request, "lexicon"), request.request_id
        )
        return pb.CreateLexiconResponse(lexicon=lexicon)

    async def GetLexicon(
        self, request: pb.GetLexiconRequest, context: grpc.aio.ServicerContext
    ) -> pb.GetLexiconResponse:
        return pb.GetLexiconResponse(lexicon=await self._lexicons.get(context, request.id))

    async def ListLexicons(
        self, request: pb.ListLexiconsRequest, context: grpc.aio.ServicerContext
    ) -> pb.ListLexiconsResponse:
        lexicons, token = await self._lexicons.list(context, request)
        return pb.ListLexiconsResponse(lexicons=lexicons, next_page_token=token)

    async def UpdateLexicon(
        self, request: pb.UpdateLexiconRequest, context: grpc.aio.ServicerContext
    ) -> pb.UpdateLexiconResponse:
        lexicon = await self._lexicons.update(
            context, given(request, "lexicon"), request.update_mask
        )
        return pb.UpdateLexiconResponse(lexicon=lexicon)

    async def DeleteLexicon(
        self, request: pb.DeleteLexiconRequest, context: grpc.aio.ServicerContext
    ) -> pb.DeleteLexiconResponse:
        await self._lexicons.delete(context, request)
        return pb.DeleteLexiconResponse()

    async def ListLexiconRevisions(
        self, request: pb.ListLexiconRevisionsRequest, context: grpc.aio.ServicerContext
    ) -> pb.ListLexiconRevisionsResponse:
        page = await self._registry.revisions(
            Lexicon,
            project_of(context),
            request.id,
            page_size=request.page_size,
            page_token=request.page_token,
        )
        return pb.ListLexiconRevisionsResponse(
            lexicons=map(from_lexicon, page.records), next_page_token=page.next_page_token
        )

    async def RollBackLexicon(
        self, request: pb.RollBackLexiconRequest, context: grpc.aio.ServicerContext
    ) -> pb.RollBackLexiconResponse:
        lexicon = await self._registry.roll_back(
            Lexicon, project_of(context), request.id, request.revision, etag=request.etag
        )
        return pb.RollBackLexiconResponse(lexicon=from_lexicon(lexicon))


def to_lexicon(message: pb.Lexicon) -> Lexicon:
    """Raises `InvalidRecord`."""
    return Lexicon(
        id=message.id,
        display_name=message.display_name,
        labels=message.labels,
        entries=message.entries,
    )


def from_lexicon(lexicon: Lexicon) -> pb.Lexicon:
    return pb.Lexicon(**head(lexicon), entries=lexicon.entries)
