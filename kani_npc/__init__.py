"""kani-npc: a voice service for game characters. A line comes in over gRPC, speech goes out as it is generated."""

__version__ = "0.1.0"
