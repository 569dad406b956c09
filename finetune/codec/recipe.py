"""What a codec adaptation is to do: the tables of its file. Read as `finetune.recipe` reads its own.

Knows no codec and no data. Published numbers are those of NeMo's `audio_codec_22050` configuration, the one with these
discriminators; longer crops with context, the smaller rate and the average of weights are the reference's advice for a
frozen encoder.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from finetune.recipe import Expected, read_as
from finetune.rows import Source


@dataclass(frozen=True, slots=True)
class Data:
    """Rows that `prepare` wrote: their recordings are read again, so they must still be where they were."""

    train: tuple[Source, ...] = ()
    # Rows to report on. Absent: a share of the lines is, and nothing else is done with them.
    test: tuple[Source, ...] = ()
    held_out_share: float = (
        0.1  # of the lines, to choose the best weights by; as many again for the report
    )


@dataclass(frozen=True, slots=True)
class Loss:
    """What the decoder is asked for, as weights of a sum.

    "published": L1 of log(x + 1), mel and magnitudes, at seven resolutions. "log": what `tiny`'s codec was trained
    with, which hears quiet bands too; `mel` and `stft` mean nothing to it. Without `adversarial` there is no
    discriminator.
    """

    spectral: Literal["published", "log"] = "published"
    mel: float = 10.0
    stft: float = 10.0
    adversarial: float = 1.0
    feature_matching: float = 1.0
    discriminator_width: float = 1.0  # of the published channels; one CPU can do a sixteenth


@dataclass(frozen=True, slots=True)
class Optimiser:
    """Adam at a rate that falls exponentially, for decoder and discriminators alike.

    `minutes` ends the schedule if it is sooner than `steps`; how far a run gets is then the machine's matter.
    """

    learning_rate: float = 1e-4
    last_rate: float = 0.2  # of it
    steps: int = 20_000
    minutes: float = 0.0  # 0: as long as it takes
    crops: int = 16  # a step
    crop_frames: int = 32
    context_frames: int = (
        28  # decoded before a crop and not compared: NanoCodec's decoder looks back 27.4
    )
    betas: tuple[float, float] = (0.8, 0.99)
    clip: float = 1.0  # of the decoder's gradient
    average: float = 0.999  # of the weights that are judged and kept, over the steps
    discriminator_every: int = 2
    discriminator_first: int = 1000  # steps of fresh discriminators alone
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Machine:
    device: str = "cpu"
    threads: int = 0  # on the CPU; 0: torch's own choice


@dataclass(frozen=True, slots=True)
class Watch:
    """In steps."""

    evaluate_every: int = 500
    patience: int = 10  # evaluations without a better one until it stops; 0: never
    save_every: int = 250
    log_every: int = 50


@dataclass(frozen=True, slots=True)
class Recipe:
    """`model` is a name that `kani-npc serve` would take; `codec` is of a model folder without one."""

    name: str
    model: str = "tiny"
    codec: str = ""
    codec_encoder: str = ""  # the encoder's weights, where they lie apart
    speaker_encoder: str = ""  # the model's own by default; "none": likeness is not measured
    data: Data = field(default_factory=Data)
    expected: Expected = field(default_factory=Expected)
    loss: Loss = field(default_factory=Loss)
    optimiser: Optimiser = field(default_factory=Optimiser)
    machine: Machine = field(default_factory=Machine)
    watch: Watch = field(default_factory=Watch)

    def __post_init__(self) -> None:
        def check(ok: bool, what: str) -> None:
            if not ok:
                raise ValueError(what)

        check(bool(self.name) and Path(self.name).name == self.name, "name is not a folder's name")
        o, w, loss = self.optimiser, self.watch, self.loss
        check(0 < self.data.held_out_share < 0.5, "data.held_out_share is not from 0 to 0.5")
        for name in ("mel", "stft", "adversarial", "feature_matching"):
            check(getattr(loss, name) >= 0, f"loss.{name} is negative")
        check(
            loss.spectral == "log" or loss.mel + loss.stft > 0,
            "loss: neither mel nor stft is asked for",
        )
        check(0 < loss.discriminator_width <= 1, "loss.discriminator_width is not from 0 to 1")
        check(o.learning_rate > 0, "optimiser.learning_rate is not positive")
        check(0 < o.last_rate <= 1, "optimiser.last_rate is not from 0 to 1")
        check(0 <= o.average < 1, "optimiser.average is not from 0 to 1")
        check(o.clip > 0, "optimiser.clip is not positive")
        for name in ("steps", "crops", "crop_frames", "discriminator_every"):
            check(getattr(o, name) > 0, f"optimiser.{name} is not positive")
        for name in ("minutes", "context_frames", "discriminator_first"):
            check(getattr(o, name) >= 0, f"optimiser.{name} is negative")
        for name in ("evaluate_every", "save_every", "log_every"):
            check(getattr(w, name) > 0, f"watch.{name} is not positive")
        check(w.patience >= 0, "watch.patience is negative")
        check(
            not loss.adversarial or o.discriminator_first < o.steps,
            "optimiser.discriminator_first leaves the decoder no steps",
        )

    def but(self, *, rows: Path | None = None, name: str = "") -> "Recipe":
        """The same with other rows to train on, and another name, where they are given."""
        data = self.data if rows is None else replace(self.data, train=(Source(str(rows)),))
        return replace(self, data=data, name=name or self.name)


def read(path: Path) -> Recipe:
    """The recipe in a TOML or YAML file. Raises `ValueError` that names the file and the key."""
    return read_as(Recipe, path)
