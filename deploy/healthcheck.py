"""Asks a server's health service once: exit status 0 if it serves, 1 in every other case.

For container engines that run a command; Kubernetes has a gRPC probe of its own. Needs grpcio and
grpcio-health-checking, and nothing of kani_npc.
"""

import os
import sys

import grpc
from grpc_health.v1 import health_pb2


def serving(address: str, timeout_s: float = 3.0) -> bool:
    """Whether the server at `host:port` answers SERVING within the time."""
    with grpc.insecure_channel(address) as channel:
        check = channel.unary_unary(
            "/grpc.health.v1.Health/Check",
            request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
            response_deserializer=health_pb2.HealthCheckResponse.FromString,
        )
        try:
            reply = check(health_pb2.HealthCheckRequest(), timeout=timeout_s)
        except grpc.RpcError:
            return False
        return reply.status == health_pb2.HealthCheckResponse.SERVING


if __name__ == "__main__":
    # What the server listens on inside the container; it may be every interface, the probe asks the local one.
    port = os.environ.get("KANI_NPC_ADDRESS", "127.0.0.1:50051").rpartition(":")[2]
    sys.exit(0 if serving(f"127.0.0.1:{port}") else 1)
