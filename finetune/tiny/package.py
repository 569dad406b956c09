"""Writes the model folder that the service loads: language model, tokenizer, voices, defaults, codec, card.

    python -m finetune.tiny package                      the trained one, into kani_npc/tiny
    python -m finetune.tiny.package --random FOLDER      small random weights: the whole service runs, and says nothing

Knows the format of a model folder; trains nothing.
"""

import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from finetune.tiny.speakers import SPEAKER_DIM, Speakers
from finetune.tiny.teachers import NON_RHOTIC, TEACHERS, Teacher
from kani_npc.codec.source_filter import SourceFilterCodec, SourceFilterConfig
from kani_npc.lm.config import LmConfig
from kani_npc.lm.load import save_lm
from kani_npc.lm.model import Lfm2
from kani_npc.text.phones import PRONUNCIATIONS_FILE, PhoneTokenizer, Pronunciations
from kani_npc.tokens import NUM_MARKERS

MODEL_FOLDER = Path("kani_npc/tiny")
LICENCE = "Apache-2.0; synthetic voices, see the model card"
DEFAULT_VOICE = "rowan"  # the one that is understood best, see the model card
PAD_MULTIPLE = 32
MAX_FRAMES = 500  # 40 s
# Most training lines are up to 9 s long; of longer text it loses its thread, see the model card.
MAX_PIECE_CHARACTERS = 90

_SPEAKERS_LICENCE = {
    "flite": "Apache-2.0; learned from CMU Flite speech (permissive CMU licence, see the model card)",
    "espeak": "Apache-2.0; learned from speech that espeak-ng made (see the model card)",
}
_FLOAT32_PARTS = ("pitch.",)  # of the codec's decoder: the phase of a whole line hangs on them


def tags() -> list[str]:
    """The language tags of the teachers, the commonest accent first."""
    return list(dict.fromkeys(teacher.tag for teacher in TEACHERS))


def tokenizer(folder: Path = MODEL_FOLDER) -> PhoneTokenizer:
    """What the language model is trained with: the pronunciations of a model folder and the teachers' tags."""
    packed = (folder / PRONUNCIATIONS_FILE).read_bytes()
    return PhoneTokenizer(Pronunciations(packed), tags(), PAD_MULTIPLE, NON_RHOTIC)


def lm_config(
    encode: PhoneTokenizer,
    *,
    hidden_size: int,
    layers: str,
    ff_size: int,
    audio_step: float,
    codebook_size: int,
) -> LmConfig:
    """Dims of a small model. `layers` has a letter a layer: c(onv) or a(ttention)."""
    # Ids of text are rounded up, so that a later voice of the family may know more tags.
    base = -(-encode.vocab_size // 64) * 64
    return LmConfig(
        vocab_size=base + NUM_MARKERS + 4 * codebook_size,
        hidden_size=hidden_size,
        layer_types=tuple("conv" if kind == "c" else "full_attention" for kind in layers),
        num_heads=max(1, hidden_size // 64),
        num_kv_heads=max(1, hidden_size // 128),
        ff_size=ff_size,
        rope_theta=10_000.0,
        audio_tokens_start=base + NUM_MARKERS,
        audio_step=audio_step,
        use_learnable_rope=True,
        alpha_min=0.5,
        alpha_max=2.0,
        speaker_dim=SPEAKER_DIM,
        language_tags=tuple(encode.tags),
    )


def write(
    folder: Path,
    lm: Lfm2,
    encode: PhoneTokenizer,
    teachers: Sequence[Teacher],
    *,
    speakers: Speakers | None = None,
    max_frames: int = MAX_FRAMES,
    pronunciations: Path = MODEL_FOLDER,
) -> None:
    """Everything but the codec and the speaker encoder. Weights are stored in bfloat16."""
    speakers = speakers or Speakers.named(teacher.voice for teacher in teachers)
    folder.mkdir(parents=True, exist_ok=True)
    stored = Lfm2(lm.config)
    stored.load_state_dict(lm.state_dict())
    save_lm(stored.bfloat16(), folder)
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_name": "tiny", "licence": LICENCE, "speaker_space": speakers.space}
    _write_json(folder / "config.json", config)
    (folder / "tokenizer.json").write_text(encode.settings())
    if folder.resolve() != pronunciations.resolve():
        shutil.copyfile(pronunciations / PRONUNCIATIONS_FILE, folder / PRONUNCIATIONS_FILE)
    # Greedy: sampled codes of so small a model are often wrong ones.
    generation = {"do_sample": False, "temperature": 0.3, "top_p": 0.95, "top_k": 20}
    _write_json(
        folder / "generation_config.json",
        {
            **generation,
            "repetition_penalty": 1.0,
            "max_frames": max_frames,
            "max_piece_characters": MAX_PIECE_CHARACTERS,
        },
    )
    (folder / "voices.json").write_text(_voices_json(_voices(teachers, speakers)))
    (folder / "model.safetensors").chmod(0o644)  # safetensors makes its files private


def write_codec(source: Path, folder: Path) -> None:
    """The codec's decoder, its weights in float16 where that is not heard."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source / "config.json", folder / "config.json")
    weights = {
        name: weight if name.startswith(_FLOAT32_PARTS) else weight.half()
        for name, weight in load_file(source / "model.safetensors").items()
    }
    save_file(weights, folder / "model.safetensors")
    (folder / "model.safetensors").chmod(0o644)


def write_random(folder: Path, *, seed: int = 0, max_frames: int = 12) -> None:
    """A model folder of `tiny`'s form with small random weights, for tests of everything around the model.

    It hardly ever ends a line by itself: `max_frames` does.
    """
    torch.manual_seed(seed)
    encode = tokenizer()
    codec = SourceFilterCodec(
        SourceFilterConfig(
            frame_channels=32,
            frame_blocks=1,
            hop_channels=32,
            hop_blocks=1,
            pitch_channels=16,
            pitch_blocks=1,
        )
    )
    config = lm_config(
        encode,
        hidden_size=64,
        layers="ca",
        ff_size=96,
        audio_step=1.25,
        codebook_size=codec.codebook_size,
    )
    write(folder, Lfm2(config), encode, TEACHERS, max_frames=max_frames)
    _shake(codec.decoder)
    codec.save(folder / "codec")


def run(folder: Path, out: Path = MODEL_FOLDER) -> None:
    """The newest trained weights of the recipe's folder, as a model folder. Prints its size."""
    from finetune.tiny.lm import trained

    speakers = Speakers.heard(folder / "embeddings.npz")
    write(out, trained(folder), tokenizer(), TEACHERS, speakers=speakers)
    (out / "speaker").mkdir(parents=True, exist_ok=True)
    for name in ("config.json", "model.safetensors"):
        shutil.copyfile(folder / "speaker" / name, out / "speaker" / name)
    write_codec(folder / "codec", out / "codec")
    size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    print(f"{out}: {size / 1e6:.1f} MB")


def _voices_json(catalogue: dict[str, Any]) -> str:
    """A voice a line: 128 numbers are no reading matter."""
    heads = "".join(
        f'  "{key}": {json.dumps(catalogue[key])},\n' for key in catalogue if key != "voices"
    )
    voices = ",\n".join(f"    {json.dumps(voice)}" for voice in catalogue["voices"])
    return f'{{\n{heads}  "voices": [\n{voices}\n  ]\n}}\n'


def _voices(teachers: Sequence[Teacher], speakers: Speakers) -> dict[str, Any]:
    voices: dict[str, dict[str, object]] = {}
    for teacher in teachers:
        # A voice with several accents has the first one as its own.
        voices.setdefault(
            teacher.voice,
            {
                "id": teacher.voice,
                "display_name": teacher.display_name,
                "space": speakers.space,
                "embedding": [round(x, 7) for x in speakers.vectors[teacher.voice].tolist()],
                "tag": teacher.tag,
                "licence": _SPEAKERS_LICENCE[teacher.engine],
            },
        )
    default = voices[DEFAULT_VOICE]
    return {
        "default_voice": default["id"],
        "default_accent": default["tag"],
        "voices": list(voices.values()),
    }


def _shake(module: nn.Module) -> None:
    """Moves the weights that start at zero or one, so that nothing in a random codec is silent by construction."""
    with torch.no_grad():
        for weight in module.parameters():
            weight.add_(0.02 * torch.randn_like(weight))


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--random"] and len(sys.argv) == 3:
        write_random(Path(sys.argv[2]))
    else:
        sys.exit("usage: python -m finetune.tiny.package --random FOLDER")
