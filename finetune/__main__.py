"""From an actor's recordings to a character that speaks in the game.

    python -m finetune prepare     recordings and texts -> rows, and a report on them
    python -m finetune evaluate    what is heard of a model, before and after
    python -m finetune train       rows and a recipe -> an adapter or a model, and a report on the run
    python -m finetune adapt-codec  rows and a recipe -> the codec's decoder for this voice, as a delta
    python -m finetune publish     what these made -> a voice that speaks on a running service

Every command goes on where it was stopped. Only parses arguments: the work is in the file of the same name. `tiny`
itself is made by `python -m finetune.tiny`, lip shapes by `python -m finetune.lips`.
"""

import sys
from pathlib import Path
from typing import Annotated

import typer

from kani_npc.errors import KaniError

app = typer.Typer(help="Fine-tuning for kani-npc.", no_args_is_help=True)

# What every command that trains by a recipe takes.
OwnRows = Annotated[
    Path | None, typer.Option(help="What `prepare` wrote, instead of the recipe's.")
]
OwnName = Annotated[str, typer.Option(help="Of the run, instead of the recipe's.")]
Runs = Annotated[Path, typer.Option(help="Where the run's folder goes.")]


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
    recogniser: Annotated[
        str, typer.Option(help="Leaves out takes of other texts, as it hears; as in `evaluate`.")
    ] = "",
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
        recogniser=recogniser,
        processes=processes,
    )
    print((out / "report.md").read_text(), end="")
    if report["rejected"]:
        print(f"\nwhy takes were left out: {out / 'rejected.csv'}")


@app.command()
def train(
    recipe: Annotated[Path, typer.Argument(help="A .toml or .yaml; see finetune/recipes")],
    rows: OwnRows = None,
    name: OwnName = "",
    runs: Runs = Path("runs"),
) -> None:
    """Rows and a recipe -> an adapter or a model, and a report on the run."""
    from finetune import recipe as recipes
    from finetune import train

    train.run(recipes.read(recipe).but(rows=rows, name=name), runs)
    train.leave()


@app.command()
def adapt_codec(
    recipe: Annotated[
        Path, typer.Argument(help="A .toml or .yaml; see finetune/recipes/codec-*.toml")
    ],
    rows: OwnRows = None,
    name: OwnName = "",
    runs: Runs = Path("runs"),
) -> None:
    """Rows and a recipe -> a decoder that knows the voice, as a delta, and what it gained."""
    from finetune.codec import adapt
    from finetune.codec import recipe as recipes

    read = recipes.read(recipe).but(rows=rows, name=name)
    adapt.run(read, runs)
    print((runs / read.name / "report.md").read_text(), end="")


@app.command()
def evaluate(
    systems: Annotated[
        list[str],
        typer.Argument(
            help="MODEL or FOLDER[,key=value...]; the second is compared with the first."
        ),
    ],
    lines: Annotated[Path, typer.Option(help="As `prepare` takes them, or a .txt: what is said.")],
    out: Annotated[Path, typer.Option(help="Where figures, report and sounds go.")],
    reference: Annotated[
        Path | None, typer.Option(help="The character's recordings of other lines.")
    ] = None,
    recogniser: Annotated[
        str, typer.Option(help="pocketsphinx, package.module:function, or a command with {}.")
    ] = "pocketsphinx",
    speaker: Annotated[str, typer.Option(help="Of lines whose manifest names none.")] = "actor",
    tag: Annotated[str, typer.Option(help="Language tag, as en_us.")] = "",
    model: Annotated[
        str, typer.Option(help="Whose speaker encoder listens, among whose voices.")
    ] = "tiny",
    speaker_encoder: Annotated[str | None, typer.Option(help="The model's own by default.")] = None,
    most: Annotated[int | None, typer.Option(help="Judge the first so many lines.")] = None,
    device: str = "cpu",
    threads: int = 1,
) -> None:
    """What is heard of one system, or of two beside each other.

    Keys of a model: adapter, codec-delta, codec, voice, says=copies; name, of any system.
    """
    from finetune import evaluate, evaluate_report

    found = evaluate.run(
        systems,
        out,
        lines=lines,
        reference=reference,
        recogniser=recogniser,
        speaker=speaker,
        tag=tag,
        model=model,
        speaker_encoder=speaker_encoder,
        most=most,
        device=device,
        threads=threads,
    )
    print(evaluate_report.text(found, evaluate.FIGURES))
    print(f"\n{out / 'report.html'}")


@app.command("publish")
def publish_voice(
    id: Annotated[
        str, typer.Argument(help="What the voice is called; a new one, or its next revision.")
    ],
    server: Annotated[str, typer.Option(help="host:port of the running service.")] = "",
    adapter: Annotated[Path | None, typer.Option(help="The folder that `train` wrote.")] = None,
    codec_delta: Annotated[
        Path | None, typer.Option(help="The file that `adapt-codec` wrote.")
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="Rows of `prepare`: the speaker's embedding, the report.")
    ] = None,
    speaker: Annotated[str | None, typer.Option(help="Of rows that have several.")] = None,
    embedding: Annotated[Path | None, typer.Option(help="A .pt file instead.")] = None,
    report: Annotated[Path | None, typer.Option(help="On the recordings, instead.")] = None,
    model: Annotated[str | None, typer.Option(help="The base [default: the adapter's own]")] = None,
    codec: Annotated[str | None, typer.Option(help="With --merge: of a base without one.")] = None,
    merge: Annotated[
        Path | None, typer.Option(help="Write a model folder there, and publish nothing.")
    ] = None,
    consent: Annotated[
        str, typer.Option(help="synthetic, own-voice, or a .json file that says who allows it.")
    ] = "",
    name: Annotated[str, typer.Option(help="What people call it.")] = "",
    tag: Annotated[str, typer.Option(help="The language tag of its lines.")] = "",
    accent: Annotated[
        Path | None,
        typer.Option(help="A .json preset: id, tag, sampling. The voice takes its tag."),
    ] = None,
    npc: Annotated[str, typer.Option(help="Who speaks with voice and accent from now on.")] = "",
    licence: Annotated[str, typer.Option(help="Of the voice.")] = "",
    project: Annotated[str, typer.Option(help="Whose voices [default: default]")] = "",
) -> None:
    """What training made -> a voice of a running service, or with --merge a model folder.

    Consent in a file: kind (granted, own_voice, synthetic), holder, statement, scope, expires (a date). A voice that is
    there already keeps its own where none is given. An accent preset in a file: id, tag (one of the model's),
    display_name, labels, sampling (temperature, top_k, top_p, ...). Preset and NPC are made, or changed in what is
    given.
    """
    from finetune import publish

    if merge is not None:
        publish.write_model(
            merge, model=model, adapter=adapter, codec_delta=codec_delta, codec=codec
        )
        print(f"kani-npc serve --model {merge}")
        return
    preset = None if accent is None else publish.read_accent(accent)
    character = publish.read_character(
        model=model,
        adapter=adapter,
        codec_delta=codec_delta,
        data=data,
        speaker=speaker,
        embedding=embedding,
        report=report,
    )
    voice = publish.run(
        server,
        id,
        character,
        project=project,
        about={"display_name": name, "tag": tag, "licence": licence},
        consent=publish.read_consent(consent),
        accent=preset,
        npc=npc,
    )
    print(f"{voice.id}@{voice.revision}")
    if preset is not None:
        print(f"accent {preset.id}")
    if npc:
        print(f"npc {npc}")


def main() -> None:
    """One line where something is wrong with what was given."""
    try:
        app()
    except (ValueError, KaniError, OSError) as wrong:
        print(f"finetune: {wrong}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
