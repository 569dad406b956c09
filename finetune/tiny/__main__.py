"""The recipe's commands, in the order in which they run.

    python -m finetune.tiny data       the teachers speak the lines
    python -m finetune.tiny crowd      more speakers, for codec, language model and speaker encoder
    python -m finetune.tiny codec      trains the codec; then, with --freeze-encoder, its decoder alone
    python -m finetune.tiny encode     the corpus as codes, once the encoder is frozen
    python -m finetune.tiny encoder    trains the speaker encoder
    python -m finetune.tiny lm         trains the language model on the codes
    python -m finetune.tiny package    writes the model folder that the service loads
    python -m finetune.tiny evaluate   word error rate, likeness and speed, beside the teachers'

Every command goes on where it was stopped. Only parses arguments: the work is in the file of the same name.
"""

import sys
from pathlib import Path
from typing import Annotated

import typer

from kani_npc.errors import KaniError

Device = Annotated[str, typer.Option(help="auto is a GPU where torch can use one, else the CPU.")]
Folder = Annotated[Path, typer.Option("--folder", help="Where all stages keep their files.")]
Together = Annotated[int, typer.Option(help="Share each step and the threads, on a CPU.")]
DEFAULT_FOLDER = Path("build/tiny")

app = typer.Typer(
    help="Trains `tiny`, the voice model that ships with kani-npc.", no_args_is_help=True
)


@app.command()
def data(
    folder: Folder = DEFAULT_FOLDER, hours: float = 25.0, seed: int = 0, processes: int = 2
) -> None:
    """The teachers speak the lines."""
    from finetune.tiny import data

    data.run(folder / "corpus", hours=hours, seed=seed, processes=processes)


@app.command()
def codec(
    folder: Folder = DEFAULT_FOLDER,
    steps: int = 12_000,
    minutes: Annotated[float, typer.Option(help="Anneal and stop within this time.")] = 30.0,
    freeze_encoder: Annotated[bool, typer.Option(help="Train the decoder only.")] = False,
    init: Annotated[
        Path | None,
        typer.Option(help="Begin with this codec folder; with --steps 0, go on to `encode` so."),
    ] = None,
    threads: int = 2,
    processes: Together = 1,
    seed: int = 0,
    device: Device = "auto",
) -> None:
    """Trains the codec; then, with --freeze-encoder, its decoder alone."""
    from finetune.tiny import codec

    codec.run(
        folder,
        steps=steps,
        minutes=minutes,
        freeze_encoder=freeze_encoder,
        init=init,
        threads=threads,
        processes=processes,
        seed=seed,
        device=device,
    )


@app.command()
def encode(folder: Folder = DEFAULT_FOLDER, threads: int = 2, device: Device = "auto") -> None:
    """The corpus as codes, once the encoder is frozen."""
    from finetune.tiny import encode

    encode.run(folder, threads=threads, device=device)


@app.command()
def lm(
    folder: Folder = DEFAULT_FOLDER,
    minutes: Annotated[float, typer.Option(help="Decay and stop within this time.")] = 150.0,
    tokens: Annotated[int, typer.Option(help="Of one step.")] = 4096,
    init: Annotated[
        Path | None, typer.Option(help="Begin with the weights of this model folder.")
    ] = None,
    refine: Annotated[
        bool, typer.Option(help="They know these codes: a rate that falls from the start.")
    ] = False,
    hidden_size: int | None = None,
    layers: Annotated[
        str | None, typer.Option(help="A letter for each: c(onv) or a(ttention).")
    ] = None,
    ff_size: int | None = None,
    threads: int = 2,
    processes: Together = 1,
    seed: int = 0,
    device: Device = "auto",
) -> None:
    """Trains the language model on the codes."""
    from finetune.tiny import lm

    given = {"hidden_size": hidden_size, "layers": layers, "ff_size": ff_size}
    given = {name: value for name, value in given.items() if value is not None}
    lm.run(
        folder,
        minutes=minutes,
        tokens=tokens,
        init=init,
        dims=lm.Dims(**given) if given else None,
        refine=refine,
        threads=threads,
        processes=processes,
        seed=seed,
        device=device,
    )


@app.command()
def crowd(folder: Folder = DEFAULT_FOLDER, processes: int = 2) -> None:
    """More speakers, for the speaker encoder."""
    from finetune.tiny import crowd

    crowd.run(folder / "crowd", processes=processes)


@app.command()
def encoder(
    folder: Folder = DEFAULT_FOLDER,
    steps: int = 6_000,
    copies: Annotated[
        bool, typer.Option(help="Teach the trained one to hear through the final codec.")
    ] = False,
    init: Annotated[
        Path | None, typer.Option(help="Take this trained encoder's folder as it is.")
    ] = None,
    threads: int = 2,
    seed: int = 0,
) -> None:
    """Trains the speaker encoder; then, with --copies, to know speakers through the codec."""
    from finetune.tiny import encoder

    if copies and init is not None:
        raise ValueError("--init comes first; --copies then teaches the encoder that it took")
    if copies:
        encoder.hear_copies(folder, threads=threads, seed=seed)
    else:
        encoder.run(folder, steps=steps, init=init, threads=threads, seed=seed)


@app.command()
def evaluate(
    folder: Folder = DEFAULT_FOLDER,
    model: Annotated[Path | None, typer.Option(help="Default: where `package` writes it.")] = None,
    processes: int = 2,
) -> None:
    """Word error rate, likeness and speed, beside the teachers'."""
    from finetune.tiny import evaluate, package

    evaluate.run(folder, model=model or package.MODEL_FOLDER, processes=processes)


@app.command()
def package(
    folder: Folder = DEFAULT_FOLDER,
    out: Annotated[Path | None, typer.Option(help="Default: the one the wheel ships.")] = None,
) -> None:
    """Writes the model folder that the service loads."""
    from finetune.tiny import package

    package.run(folder, out or package.MODEL_FOLDER)


if __name__ == "__main__":
    try:
        app()
    except (ValueError, KaniError, OSError) as wrong:
        print(f"finetune.tiny: {wrong}", file=sys.stderr)
        sys.exit(1)
