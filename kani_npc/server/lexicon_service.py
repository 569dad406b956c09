"""LexiconService: how a project's words are said. `Registry` has the rules; here are the wire's words for them."""

import grpc

from kani_npc.server.resources import given, head, merged, project_of, update_paths
from kani_npc.v1 import lexicon_service_pb2 as pb
from kani_npc.v1 import lexicon_service_pb2_grpc as rpc
from kani_npc.voices.records import Lexicon
from kani_npc.voices.registry import Registry

_WRITABLE = {"display_name", "labels", "entries"}


class LexiconService(rpc.LexiconServiceServicer):
    """One for all calls."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    async def CreateLexicon(
        self, request: pb.CreateLexiconRequest, context: grpc.aio.ServicerContext
    ) -> pb.CreateLexiconResponse:
        lexicon = to_lexicon(given(request, "lexicon"))
        made = await self._registry.create(
            project_of(context), lexicon, request_id=request.request_id
        )
        return pb.CreateLexiconResponse(lexicon=from_lexicon(made))

    async def GetLexicon(
        self, request: pb.GetLexiconRequest, context: grpc.aio.ServicerContext
    ) -> pb.GetLexiconResponse:
        lexicon = await self._registry.get(Lexicon, project_of(context), request.id)
        return pb.GetLexiconResponse(lexicon=from_lexicon(lexicon))

    async def ListLexicons(
        self, request: pb.ListLexiconsRequest, context: grpc.aio.ServicerContext
    ) -> pb.ListLexiconsResponse:
        page = await self._registry.list(
            Lexicon, project_of(context), page_size=request.page_size, page_token=request.page_token
        )
        return pb.ListLexiconsResponse(
            lexicons=map(from_lexicon, page.records), next_page_token=page.next_page_token
        )

    async def UpdateLexicon(
        self, request: pb.UpdateLexiconRequest, context: grpc.aio.ServicerContext
    ) -> pb.UpdateLexiconResponse:
        wanted: pb.Lexicon = given(request, "lexicon")
        paths = update_paths(request.update_mask, wanted, _WRITABLE)

        def change(current: Lexicon) -> Lexicon:
            return to_lexicon(merged(from_lexicon(current), wanted, paths))

        lexicon = await self._registry.update(
            Lexicon, project_of(context), wanted.id, change, etag=wanted.etag
        )
        return pb.UpdateLexiconResponse(lexicon=from_lexicon(lexicon))

    async def DeleteLexicon(
        self, request: pb.DeleteLexiconRequest, context: grpc.aio.ServicerContext
    ) -> pb.DeleteLexiconResponse:
        await self._registry.delete(Lexicon, project_of(context), request.id, etag=request.etag)
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
