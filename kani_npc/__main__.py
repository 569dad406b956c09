"""`python -m kani_npc` is `kani-npc`."""

from kani_npc.cli import main

if __name__ == "__main__":
    main()
