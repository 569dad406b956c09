"""NpcService: who speaks in a game, by name. `Registry` has the rules; here are the wire's words for them."""

from typing import Any

import grpc

from kani_npc.errors import InvalidRecord
from kani_npc.server.resources import Resources, from_overrides, given, head, to_overrides
from kani_npc.v1 import npc_service_pb2 as pb
from kani_npc.v1 import npc_service_pb2_grpc as rpc
from kani_npc.voices.records import Delivery, Npc, SeedPolicy
from kani_npc.voices.registry import Registry

_WRITABLE = {
    *("display_name", "labels", "voice", "accent", "lexicon", "delivery", "sampling"),
    *("seed_policy", "seed"),
}
_SEED_POLICIES = {
    pb.SEED_POLICY_UNSPECIFIED: SeedPolicy.DERIVED,
    pb.SEED_POLICY_DERIVED: SeedPolicy.DERIVED,
    pb.SEED_POLICY_FIXED: SeedPolicy.FIXED,
    pb.SEED_POLICY_VARY: SeedPolicy.VARY,
}


class NpcService(rpc.NpcServiceServicer):
    """One for all calls."""

    def __init__(self, registry: Registry) -> None:
        self._npcs = Resources(registry, Npc, to_npc, from_npc, _WRITABLE)

    async def CreateNpc(
        self, request: pb.CreateNpcRequest, context: grpc.aio.ServicerContext
    ) -> pb.CreateNpcResponse:
        npc = await self._npcs.create(context, given(request, "npc"), request.request_id)
        return pb.CreateNpcResponse(npc=npc)

    async def GetNpc(
        self, request: pb.GetNpcRequest, context: grpc.aio.ServicerContext
    ) -> pb.GetNpcResponse:
        return pb.GetNpcResponse(npc=await self._npcs.get(context, request.id))

    async def ListNpcs(
        self, request: pb.ListNpcsRequest, context: grpc.aio.ServicerContext
    ) -> pb.ListNpcsResponse:
        npcs, token = await self._npcs.list(context, request)
        return pb.ListNpcsResponse(npcs=npcs, next_page_token=token)

    async def UpdateNpc(
        self, request: pb.UpdateNpcRequest, context: grpc.aio.ServicerContext
    ) -> pb.UpdateNpcResponse:
        npc = await self._npcs.update(context, given(request, "npc"), request.update_mask)
        return pb.UpdateNpcResponse(npc=npc)

    async def DeleteNpc(
        self, request: pb.DeleteNpcRequest, context: grpc.aio.ServicerContext
    ) -> pb.DeleteNpcResponse:
        await self._npcs.delete(context, request)
        return pb.DeleteNpcResponse()


def to_npc(message: pb.Npc) -> Npc:
    """Raises `InvalidRecord`."""
    delivery: dict[str, Any] = {f.name: value for f, value in message.delivery.ListFields()}
    if message.seed_policy not in _SEED_POLICIES:
        raise InvalidRecord(
            f"seed_policy has no value {message.seed_policy}", field="npc.seed_policy"
        )
    return Npc(
        id=message.id,
        display_name=message.display_name,
        labels=message.labels,
        voice=message.voice,
        accent=message.accent or None,
        lexicon=message.lexicon or None,
        delivery=Delivery(**delivery),
        sampling=to_overrides(message.sampling),
        seed_policy=_SEED_POLICIES[message.seed_policy],
        seed=message.seed if message.HasField("seed") else None,
    )


def from_npc(npc: Npc) -> pb.Npc:
    delivery = pb.Delivery(gain_db=npc.delivery.gain_db, pause_ms=npc.delivery.pause_ms)
    if npc.delivery.edge_silence_ms is not None:
        delivery.edge_silence_ms = npc.delivery.edge_silence_ms
    return pb.Npc(
        **head(npc),
        voice=npc.voice,
        accent=npc.accent or "",
        lexicon=npc.lexicon or "",
        delivery=delivery,
        sampling=from_overrides(npc.sampling),
        seed_policy=f"SEED_POLICY_{npc.seed_policy.name}",
        seed=npc.seed,
    )
