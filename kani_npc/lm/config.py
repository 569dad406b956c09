"""The shape of a language model, read from a checkpoint's config.json.

Knows the field names, aliases and defaults of the published loader, and refuses what it cannot mean. Knows no weights.
"""

import json
import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from kani_npc.errors import CheckpointError
from kani_npc.tokens import TokenLayout

logger = logging.getLogger(__name__)

N = TypeVar("N", int, float, bool)

# What the published loader takes when a field of its own is absent (kani-tts-2 0.0.5). They change the function and not
# the weights, so a silent default could be a silently different model: every one taken is logged and reported.
KANI_DEFAULTS: dict[str, Any] = {
    "audio_tokens_start": 64410,
    "tokens_per_frame": 4,
    "audio_step": 1.0,
    "use_learnable_rope": False,
    "alpha_min": 0.1,
    "alpha_max": 2.0,
    "speaker_emb_dim": 128,
}
ROPE_DEFAULTS = ("alpha_min", "alpha_max")  # mean something with learnable rope only

MAX_PLAUSIBLE = (
    1 << 24
)  # no width or count of a real model comes near; a corrupt config must not allocate


@dataclass(frozen=True, slots=True)
class LmConfig:
    """LFM2's dims, and what KaniTTS2 adds to them. Raises `CheckpointError` for dims that no model can have."""

    vocab_size: int
    hidden_size: int
    layer_types: tuple[str, ...]  # "conv" or "full_attention", one per layer
    num_heads: int
    num_kv_heads: int
    ff_size: int  # the width as it is, after LFM2's adjustment
    norm_eps: float = 1e-5
    rope_theta: float = 1e6
    conv_kernel: int = 3
    initializer_range: float = 0.02
    audio_tokens_start: int = 64410
    tokens_per_frame: int = 4
    audio_step: float = 1.0
    use_learnable_rope: bool = False
    alpha_min: float = 0.1
    alpha_max: float = 2.0
    speaker_dim: int = 128
    language_tags: tuple[str, ...] = ()
    assumed: tuple[str, ...] = ()  # fields that config.json did not have

    def __post_init__(self) -> None:
        for name in (
            "vocab_size",
            "hidden_size",
            "num_heads",
            "num_kv_heads",
            "ff_size",
            "conv_kernel",
            "speaker_dim",
        ):
            _require(
                0 < getattr(self, name) <= MAX_PLAUSIBLE,
                f"{name} {getattr(self, name)} is not a usable size",
            )
        _require(
            self.tokens_per_frame in range(1, 65),
            f"tokens_per_frame {self.tokens_per_frame} is not from 1 to 64",
        )
        _require(0 < len(self.layer_types) <= 1024, f"{len(self.layer_types)} layers")
        unknown = sorted(set(self.layer_types) - {"conv", "full_attention"})
        _require(not unknown, f"layer_types has {unknown}; only conv and full_attention exist")
        _require(
            self.hidden_size % self.num_heads == 0
            and (self.hidden_size // self.num_heads) % 2 == 0,
            f"hidden_size {self.hidden_size} is not num_attention_heads {self.num_heads} heads of an even width",
        )
        _require(
            self.num_heads % self.num_kv_heads == 0,
            f"num_attention_heads {self.num_heads} is not a multiple of num_key_value_heads {self.num_kv_heads}",
        )
        for name in (
            "norm_eps",
            "rope_theta",
            "audio_step",
            "alpha_min",
            "alpha_max",
            "initializer_range",
        ):
            value = getattr(self, name)
            _require(math.isfinite(value) and value > 0, f"{name} {value} is not a positive number")
        _require(
            self.alpha_min <= self.alpha_max,
            f"alpha_min {self.alpha_min} is above alpha_max {self.alpha_max}",
        )
        _ = self.layout  # refuses a vocabulary that is not equal codebooks

    @property
    def num_layers(self) -> int:
        return len(self.layer_types)

    @property
    def head_dim(self) -> int:
        return self.hidden_size // self.num_heads

    @property
    def attention_layers(self) -> tuple[int, ...]:
        return tuple(i for i, kind in enumerate(self.layer_types) if kind == "full_attention")

    @property
    def layout(self) -> TokenLayout:
        return TokenLayout(self.vocab_size, self.audio_tokens_start, self.tokens_per_frame)

    @classmethod
    def from_json(cls, source: str | Path | Mapping[str, Any]) -> "LmConfig":
        """Read a config.json (a file, its folder, or its parsed contents) as the published loader reads it.

        Raises `CheckpointError` if it is absent, not JSON, lacks a dim, or has one that means nothing.
        """
        if isinstance(source, Mapping):
            fields = source
        else:
            path = Path(source)
            fields = read_json(path / "config.json" if path.is_dir() else path)
        kind = fields.get("model_type", "lfm2")
        _require(kind == "lfm2", f"model_type is {kind!r}; only lfm2 can be read")
        _require(
            not fields.get("conv_bias", False),
            "conv_bias is true; no published checkpoint has biases",
        )
        for name in ("tie_embedding", "tie_word_embeddings"):
            _require(
                fields.get(name, True) is True,
                f"{name} is false; the output head must be the embedding matrix",
            )

        own: dict[str, Any] = {}
        assumed: list[str] = []
        for name, default in KANI_DEFAULTS.items():
            if fields.get(name) is None:
                own[name] = default
                if own.get("use_learnable_rope") or name not in ROPE_DEFAULTS:
                    assumed.append(f"{name}={default}")
            else:
                own[name] = _number(fields, name, type(default))
        if assumed:
            logger.warning(
                "config.json lacks some fields; the published loader's defaults are taken: %s",
                ", ".join(assumed),
            )

        return cls(
            vocab_size=_number(fields, "vocab_size", int),
            hidden_size=_number(fields, "hidden_size", int),
            layer_types=_layer_types(fields),
            num_heads=_number(fields, "num_attention_heads", int),
            num_kv_heads=_number(fields, "num_key_value_heads", int),
            ff_size=_ff_size(fields),
            norm_eps=_number(fields, "norm_eps", float, 1e-5),
            rope_theta=_rope_theta(fields),
            conv_kernel=_number(fields, "conv_L_cache", int, 3),
            initializer_range=_number(fields, "initializer_range", float, 0.02),
            speaker_dim=own.pop("speaker_emb_dim"),
            language_tags=_language_tags(fields),
            assumed=tuple(assumed),
            **own,
        )

    def to_json(self) -> dict[str, Any]:
        """The same as config.json fields: what `from_json` and the published loader read back."""
        return {
            "architectures": ["KaniTTS2ForCausalLM"],
            "model_type": "lfm2",
            "vocab_size": self.vocab_size,
            "hidden_size": self.hidden_size,
            "num_hidden_layers": self.num_layers,
            "layer_types": list(self.layer_types),
            "num_attention_heads": self.num_heads,
            "num_key_value_heads": self.num_kv_heads,
            "intermediate_size": self.ff_size,
            "block_ff_dim": self.ff_size,
            "block_auto_adjust_ff_dim": False,
            "norm_eps": self.norm_eps,
            "rope_theta": self.rope_theta,
            "conv_L_cache": self.conv_kernel,
            "conv_bias": False,
            "tie_embedding": True,
            "initializer_range": self.initializer_range,
            "audio_tokens_start": self.audio_tokens_start,
            "tokens_per_frame": self.tokens_per_frame,
            "audio_step": self.audio_step,
            "use_learnable_rope": self.use_learnable_rope,
            "alpha_min": self.alpha_min,
            "alpha_max": self.alpha_max,
            "speaker_emb_dim": self.speaker_dim,
            "text_vocab_size": self.layout.base,
            "bos_token_id": 1,
            "eos_token_id": 7,
            "pad_token_id": 0,
            "language_settings": {
                "status": "available_language_tags" if self.language_tags else "no_language_tags",
                "language_tags_list": list(self.language_tags),
            },
        }


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a model folder. Raises `CheckpointError`."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CheckpointError(f"no {path.name} in {path.parent}") from None
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} cannot be read as JSON: {error}") from None
    if not isinstance(value, dict):
        raise CheckpointError(f"{path} is not a JSON object")
    return value


def _require(ok: bool, message: str) -> None:
    if not ok:
        raise CheckpointError(f"config.json: {message}")


def _number(fields: Mapping[str, Any], name: str, kind: type[N], default: N | None = None) -> N:
    value: Any = fields.get(name, default)
    if value is None:
        value = default
    _require(value is not None, f"{name} is missing")
    if kind is bool:
        fits = isinstance(value, bool)
    else:
        fits = isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e30
        fits = fits and (kind is float or float(value).is_integer())
    _require(fits, f"{name} is {value!r}, not {kind.__name__}")
    return kind(value)


def _object(fields: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = fields.get(name)
    _require(value is None or isinstance(value, Mapping), f"{name} is not an object")
    return value or {}


def _layer_types(fields: Mapping[str, Any]) -> tuple[str, ...]:
    num_layers = _number(fields, "num_hidden_layers", int)
    _require(0 < num_layers <= 1024, f"num_hidden_layers {num_layers} is not a usable number")
    types = fields.get("layer_types")
    if types is None:  # full_attn_idxs counts only then
        attention = fields.get("full_attn_idxs")
        if attention is None:
            attention = list(range(num_layers))
        _require(isinstance(attention, list), "full_attn_idxs is not a list")
        types = ["full_attention" if i in attention else "conv" for i in range(num_layers)]
    _require(
        isinstance(types, list)
        and len(types) == num_layers
        and all(isinstance(kind, str) for kind in types),
        f"layer_types does not name num_hidden_layers {num_layers} layers",
    )
    return tuple(types)


def _ff_size(fields: Mapping[str, Any]) -> int:
    """LFM2's rule: two thirds, times the multiplier, rounded up to a multiple. block_ff_dim beats intermediate_size."""
    name = "intermediate_size" if fields.get("block_ff_dim") is None else "block_ff_dim"
    size = _number(fields, name, int)
    if not _number(fields, "block_auto_adjust_ff_dim", bool, True):
        return size
    size = int(2 * size / 3)
    if fields.get("block_ffn_dim_multiplier", 1.0) is not None:
        size = int(_number(fields, "block_ffn_dim_multiplier", float, 1.0) * size)
        multiple = _number(fields, "block_multiple_of", int, 256)
        _require(multiple > 0, f"block_multiple_of {multiple} is not positive")
        size = multiple * ((size + multiple - 1) // multiple)
    return size


def _rope_theta(fields: Mapping[str, Any]) -> float:
    """`theta` beats `rope_theta` (LFM2), which beats LFM2.5's `rope_parameters.rope_theta`."""
    parameters = _object(fields, "rope_parameters")
    kind = parameters.get("rope_type", "default")
    _require(kind == "default", f"rope_parameters.rope_type is {kind!r}; only default can be read")
    for source, name in ((fields, "theta"), (fields, "rope_theta"), (parameters, "rope_theta")):
        if source.get(name) is not None:
            return _number(source, name, float)
    return 1e6


def _language_tags(fields: Mapping[str, Any]) -> tuple[str, ...]:
    settings = _object(fields, "language_settings")
    tags = settings.get("language_tags_list") or []
    _require(
        isinstance(tags, list) and all(isinstance(tag, str) for tag in tags),
        "language_settings.language_tags_list is not a list of tags",
    )
    return tuple(tags) if settings.get("status") == "available_language_tags" else ()
