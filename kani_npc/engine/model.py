"""Opens a model folder and checks that its parts fit each other.

    config.json, model.safetensors   the language model          codec/   codes to sound
    tokenizer.json                   text to ids                 generation_config.json   sampling defaults

Knows no hub (`kani_npc/models.py` turns names into folders) and no voices.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from kani_npc.codec.load import load_codec
from kani_npc.codec.protocol import Codec
from kani_npc.engine.memory import MemoryNeeds, memory_needs
from kani_npc.errors import InvalidUtterance, ModelError
from kani_npc.lm.adapters import weights_hash
from kani_npc.lm.config import read_json
from kani_npc.lm.independent import make_rows_independent
from kani_npc.lm.load import load_lm, usable_device
from kani_npc.lm.model import Lfm2
from kani_npc.lm.packed import WEIGHTS, can_pack, keep_logits_exact, pack
from kani_npc.lm.sampler import SAMPLER_VERSION
from kani_npc.models import content_hash
from kani_npc.speech import USUAL_PIECE_CHARACTERS, ModelInfo, Sampling, Voice
from kani_npc.text import MAX_CHARACTERS, Tokenizer, load_tokenizer

# The published package's `generate` (kani-tts-2 0.0.5); top-k is transformers' own default.
PUBLISHED_SAMPLING = Sampling(temperature=1.0, top_p=0.95, top_k=50, repetition_penalty=1.1)
PUBLISHED_CODEC = "nvidia/nemo-nano-codec-22khz-0.6kbps-12.5fps"
PUBLISHED_SPEAKER_SPACE = "nineninesix/speaker-emb-tbr"
FEW_WEIGHTS = 30_000_000  # between `tiny` (5 M) and the full size (287 M)
AUTO = "auto"  # weights as they are fastest on the device
UNKNOWN_LICENCE = "unknown: see the model's own card"


@dataclass(frozen=True, slots=True)
class SpeechModel:
    """Everything that speaking takes. Raises `ModelError` for parts that do not fit each other."""

    lm: Lfm2
    codec: Codec
    tokenizer: Tokenizer
    info: ModelInfo
    # Names the weights that adapters for it are trained on. Asked for with the first adapter: it reads them once more.
    base: Callable[[], str] = lambda: ""

    def __post_init__(self) -> None:
        layout, codec = self.lm.layout, self.codec
        if (codec.num_codebooks, codec.codebook_size) != (
            layout.num_codebooks,
            layout.codebook_size,
        ):
            raise ModelError(
                f"the language model speaks {layout.num_codebooks} codebooks of {layout.codebook_size} codes, the "
                f"codec ({codec.kind}) has {codec.num_codebooks} of {codec.codebook_size}; pass the codec that the "
                "model was trained with"
            )

    @property
    def sampling(self) -> Sampling:
        """What an utterance takes where nobody asks for anything else."""
        return self.info.sampling

    @property
    def speaker_dim(self) -> int:
        """Width of the speaker embeddings that the model takes."""
        return self.lm.config.speaker_dim

    @property
    def max_threads(self) -> int | None:
        """How many threads its arithmetic can use on a CPU; None is any number.

        A small model's matrices are multiplied before a second thread is awake: measured on two cores, `tiny` takes
        two thirds of the time with one thread for four streams, and nine tenths for one.
        """
        matrices = self.lm.num_matrix_weights
        return 1 if matrices < FEW_WEIGHTS else None

    def memory_needs(self, max_tokens: int) -> MemoryNeeds:
        """What it takes on its device, for slots of at most `max_tokens` tokens."""
        codec = self.codec
        # Streams decode with packed weights beside the codec's own.
        weights = codec.parameters() if isinstance(codec, nn.Module) else ()
        codec_bytes = 2 * sum(tensor.nbytes for tensor in weights)
        heads = [tensor for head in self.lm.heads or () for tensor in head.parameters()]
        return memory_needs(
            self.lm.config,
            max_tokens=max_tokens,
            bytes_per_value=self.lm.dtype.itemsize,
            lm_weight_bytes=sum(tensor.nbytes for tensor in (*self.lm.parameters(), *heads)),
            codec_weight_bytes=codec_bytes,
            codec_slot_bytes=codec.streaming_decoder().init_state(1).num_bytes,
            samples_per_frame=codec.samples_per_frame,
        )

    @property
    def device(self) -> torch.device:
        return self.lm.device

    def check_voice(self, voice: Voice) -> None:
        """Raises `InvalidUtterance` for a voice of another speaker space or width than the model takes."""
        embedding = voice.embedding
        if embedding is None:
            return
        if embedding.space != self.info.speaker_space:
            raise InvalidUtterance(
                f"voice {voice.id!r} was made by {embedding.space!r}; model {self.info.name!r} takes "
                f"embeddings of {self.info.speaker_space!r}",
                field="voice",
            )
        if embedding.vector.shape != (self.speaker_dim,):
            raise InvalidUtterance(
                f"voice {voice.id!r} has an embedding of shape {list(embedding.vector.shape)}; model "
                f"{self.info.name!r} takes [{self.speaker_dim}]",
                field="voice",
            )


def load_model(
    folder: str | Path,
    *,
    codec: str | Path | None = None,
    device: str | torch.device = "cpu",
    weights: str = AUTO,
    reproducible: bool = False,
    hashed: bool = True,
) -> SpeechModel:
    """A model folder, ready to speak.

    `codec` is a `.nemo` file or a codec folder, for a model folder that has no `codec/` of its own. `weights` is how
    the language model's are kept: float32, bfloat16, or packed on the CPU (int8, int4); auto is bfloat16 on a GPU and
    int8 on the CPU, float32 for widths that cannot be packed. The codec always computes in float32.

    `reproducible`: a line's samples are the same bits whoever else speaks; several lines at once are slower then.
    `hashed`: its files are read once more, 0.6 s a gigabyte, for `ModelInfo.content_hash`, which kept lines need.

    Raises `ModelError` (or its `CheckpointError`, `CodecError`) that names the file, the key or the parts at fault.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ModelError(
            f"no model folder at {folder}; it should hold config.json and model.safetensors"
        )
    codec = codec or folder / "codec"
    if not Path(codec).exists():
        raise ModelError(
            f"no codec at {codec}; pass --codec with a .nemo file or a codec folder (published models: "
            f"{PUBLISHED_CODEC})"
        )
    device = usable_device(device)
    lm = _load_lm(folder, device, weights)
    if reproducible:
        make_rows_independent(lm)
    tokenizer = load_tokenizer(folder)
    loaded_codec = load_codec(codec, device=device)
    config = read_json(folder / "config.json")
    sampling, notes = read_sampling(folder)
    info = ModelInfo(
        name=str(config.get("model_name", folder.resolve().name)),
        licence=str(config.get("licence", UNKNOWN_LICENCE)),
        sample_rate_hz=loaded_codec.sample_rate_hz,
        samples_per_frame=loaded_codec.samples_per_frame,
        speaker_space=str(config.get("speaker_space", PUBLISHED_SPEAKER_SPACE)),
        speaker_dim=lm.config.speaker_dim,
        languages=lm.config.language_tags,
        sampling=sampling,
        notes=(*(f"config.json: {field} assumed" for field in lm.config.assumed), *notes),
        sampler_version=SAMPLER_VERSION,
        content_hash=(
            content_hash(folder, Path(codec), device.type, weights, str(reproducible))
            if hashed
            else ""
        ),
        reproducible=reproducible,
        max_piece_characters=read_piece_length(folder),
    )
    if tokenizer.vocab_size > lm.layout.vocab_size:
        raise ModelError(
            f"tokenizer.json has {tokenizer.vocab_size} ids, the language model {lm.layout.vocab_size}; they are not "
            "of one model"
        )
    base = cache(partial(weights_hash, folder))
    return SpeechModel(lm, loaded_codec, tokenizer, info, base)


def _load_lm(folder: Path, device: torch.device, weights: str) -> Lfm2:
    if weights not in (AUTO, *WEIGHTS):
        raise ModelError(f"weights are one of {AUTO}, {', '.join(WEIGHTS)}, not {weights!r}")
    if device.type != "cpu":
        if weights in ("int8", "int4"):
            raise ModelError(
                f"{weights} weights are for the CPU; on {device} pass bfloat16 or float32"
            )
        if weights == "float32":
            return load_lm(folder, device=device)
        return keep_logits_exact(load_lm(folder, dtype=torch.bfloat16, device=device))
    if weights == "bfloat16":
        return keep_logits_exact(load_lm(folder, dtype=torch.bfloat16))
    lm = load_lm(folder)
    if weights == AUTO:
        return pack(lm, "int8") if can_pack(lm, "int8") else lm
    return pack(lm, weights) if weights in ("int8", "int4") else lm


def read_sampling(folder: Path) -> tuple[Sampling, tuple[str, ...]]:
    """The defaults in generation_config.json, and notes on what it left to the published ones.

    `do_sample: false` is greedy. A file without it samples, as the published package does whatever its own file says.
    Raises `ModelError` for values that mean nothing.
    """
    path = folder / "generation_config.json"
    given = read_json(path) if path.exists() else {}
    values: dict[str, Any] = {}
    notes: list[str] = []
    for name in ("temperature", "top_k", "top_p", "repetition_penalty"):
        if given.get(name) is None:
            notes.append(f"{path.name}: {name}={getattr(PUBLISHED_SAMPLING, name)} assumed")
        else:
            values[name] = given[name]
    values |= {name: given[name] for name in ("min_frames", "max_frames") if name in given}
    for name in ("top_k", "min_frames", "max_frames"):
        if name in values and type(values[name]) is not int:
            raise ModelError(f"{path.name}: {name} must be a whole number")
    try:
        return PUBLISHED_SAMPLING.but(greedy=given.get("do_sample") is False, **values), tuple(
            notes
        )
    except (InvalidUtterance, TypeError) as error:
        raise ModelError(f"{path.name}: {error}") from error


def read_piece_length(folder: Path) -> int:
    """How much text the model says in one go: `max_piece_characters` of generation_config.json, or the usual.

    Raises `ModelError` for a value that means nothing.
    """
    path = folder / "generation_config.json"
    given = read_json(path) if path.exists() else {}
    length = given.get("max_piece_characters", USUAL_PIECE_CHARACTERS)
    if type(length) is not int or not 20 <= length <= MAX_CHARACTERS:
        raise ModelError(
            f"{path.name}: max_piece_characters must be a whole number from 20 to {MAX_CHARACTERS}"
        )
    return length
