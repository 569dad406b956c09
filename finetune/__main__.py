"""From an actor's recordings to a character that speaks in the game.

    python -m finetune prepare     recordings and texts -> rows, and a report on them

Every command goes on where it was stopped. Only parses arguments: the work is in the file of the same name. `tiny`
itself is made by `python -m finetune.tiny`, lip shapes by `python -m finetune.lips`.
"""

import sys
from pathlib import Path
from typing import Annotated

import typer

from kani_npc.errors import KaniError

app = typer.Typer(help="Fine-tuning for kani-npc.", no_args_is_help=True)


@app.callback()
def commands() -> None:
    """Fine-tuning for kani-npc."""


@app.command()
def prepare(
    source: Annotated[
        Path, typer.Argument(help="A folder of sounds and .txt files, a .csv or a .jsonl")
    ],
    out: Annotated[Path, typer.Option(help="Where rows and report go.")],
    model: Annotated[str, typer.Option(help="Whose codec and speaker encoder are used.")] = "tiny",
    codec: Annotated[str | None, typer.Option(help="Of a model folder without one.")] = None,
    codec_encoder: Annotated[
        str | None, typer.Option(help="The encoder's weights, where they lie apart.")
    ] = None,
    speaker_encoder: Annotated[str | None, typer.Option(help="The model's own by default.")] = None,
    speaker: Annotated[str, typer.Option(help="Of takes whose manifest names none.")] = "actor",
    tag: Annotated[str, typer.Option(help="Language tag, as en_us.")] = "",
    max_s: Annotated[float, typer.Option(help="Longer takes are left out.")] = 40.0,
    processes: int = 2,
) -> None:
    """Recordings and texts -> rows, and a report on them."""
    from finetune import prepare

    report = prepare.run(
        source,
        out,
        model=model,
        codec=codec,
        codec_encoder=codec_encoder,
        speaker_encoder=speaker_encoder,
        speaker=speaker,
        tag=tag,
        max_s=max_s,
        processes=processes,
    )
    print((out / "report.md").read_text(), end="")
    if report["rejected"]:
        print(f"\nwhy takes were left out: {out / 'rejected.csv'}")


def main() -> None:
    """One line where something is wrong with what was given."""
    try:
        app()
    except (ValueError, KaniError, OSError) as wrong:
        print(f"finetune: {wrong}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
