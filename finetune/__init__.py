"""Training recipes. They publish through `kani_npc.v1` like any client; the service never imports them."""
