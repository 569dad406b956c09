"""Opens a speaker encoder: a folder whose config.json names its kind.

Knows which kinds there are; how each reads its weights is in its own module. A hub name is `models`' to resolve.
"""

import json
from pathlib import Path
from typing import Any

from kani_npc.errors import ModelError
from kani_npc.speaker.protocol import CONFIG, LOG_MEL_KIND, WAVLM_KIND, WEIGHTS, SpeakerEncoder

PUBLISHED_SPACE = "nineninesix/speaker-emb-tbr"

# An encoder's config is a page of text; anything longer is not one, and is not parsed.
MAX_CONFIG_BYTES = 1 << 20


def load_speaker_encoder(folder: str | Path) -> SpeakerEncoder:
    """The encoder in `folder`, for serving on the CPU in float32.

    Raises `ModelError` for what is no encoder, `CheckpointError` for weights that do not fit.
    """
    folder = Path(folder)
    raw = _read_config(folder)
    if raw["kind"] == LOG_MEL_KIND:
        from kani_npc.speaker.log_mel import LogMelEncoder

        return LogMelEncoder.from_config(raw, folder / WEIGHTS)
    from kani_npc.speaker.wavlm import WavlmEncoder

    return WavlmEncoder.from_config(raw, folder / WEIGHTS, encoder_space(folder))


def encoder_space(folder: str | Path) -> str:
    """The space of the encoder in `folder`, without its weights. Raises `ModelError` for what is no encoder."""
    raw = _read_config(Path(folder))
    # The published one does not say; its name is its space.
    space = raw.get("space", PUBLISHED_SPACE if raw["kind"] == WAVLM_KIND else None)
    if not isinstance(space, str) or not space:
        raise ModelError(f"{Path(folder) / CONFIG} names no space")
    return space


def weights_bytes(folder: str | Path) -> int:
    """The size of the weights' file. Raises `ModelError` if there is none."""
    try:
        return (Path(folder) / WEIGHTS).stat().st_size
    except OSError as error:
        raise ModelError(f"{Path(folder) / WEIGHTS} could not be read: {error.strerror}") from error


def _read_config(folder: Path) -> dict[str, Any]:
    file = folder / CONFIG
    try:
        if file.stat().st_size > MAX_CONFIG_BYTES:
            raise ModelError(
                f"{file} is over {MAX_CONFIG_BYTES} bytes; that is no speaker encoder's"
            )
        raw = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelError(f"{file} could not be read: {error.strerror}") from error
    except ValueError as error:
        raise ModelError(f"{file} is not JSON") from error
    if not isinstance(raw, dict):
        raise ModelError(f"{file} is not a JSON object")
    # The published one was written by transformers, which knows no `kind`.
    if "kind" not in raw and raw.get("model_type") == WAVLM_KIND:
        raw["kind"] = WAVLM_KIND
    if raw.get("kind") not in (LOG_MEL_KIND, WAVLM_KIND):
        raise ModelError(
            f"{file} names kind {raw.get('kind')!r} and model_type {raw.get('model_type')!r}; "
            f"a speaker encoder is of kind {LOG_MEL_KIND!r} or {WAVLM_KIND!r}"
        )
    return raw
