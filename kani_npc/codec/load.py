"""Opens a codec: a `.nemo` file, or a folder whose config.json names its kind.

Knows where codecs are kept and which kinds there are; how each reads its weights is in its own module.
"""

import json
from pathlib import Path
from typing import Any

import torch

from kani_npc.codec.protocol import Codec
from kani_npc.errors import CodecError

# A codec's config is a page of text; anything longer is not one, and is not parsed.
MAX_CONFIG_BYTES = 1 << 20


def load_codec(
    path: str | Path, device: str | torch.device = "cpu", dtype: torch.dtype = torch.float32
) -> Codec:
    """The codec at `path`, ready to decode. Samples are float32 whatever the `dtype` of the weights.

    Raises `CodecError` for what is no codec, and `CheckpointError` for weights that do not fit.
    """
    path = Path(path)
    if path.is_dir():
        kind = read_config(path).get("kind")
        if kind == "nanocodec":
            from kani_npc.codec.nanocodec import NanoCodec

            return NanoCodec.from_folder(path).serve(device, dtype)
        if kind == "source_filter":
            from kani_npc.codec.source_filter import SourceFilterCodec

            # Small enough to stay float32; `dtype` is for the full-size decoder.
            return SourceFilterCodec.from_folder(path).to(device)
        raise CodecError(
            f"{path / 'config.json'} names kind {kind!r}; known are 'nanocodec' and 'source_filter'"
        )
    if path.suffix == ".nemo" and path.exists():
        from kani_npc.codec.nanocodec import NanoCodec

        return NanoCodec.from_nemo(path).serve(device, dtype)
    if not path.exists():
        raise CodecError(
            f"no codec at {path}; expected a .nemo file or a folder with config.json and model.safetensors"
        )
    raise CodecError(
        f"{path} is no codec; expected a .nemo file or a folder with config.json and model.safetensors"
    )


def read_config(folder: Path) -> dict[str, Any]:
    """A codec folder's config.json. Raises `CodecError` if there is none, or it is no JSON object."""
    file = folder / "config.json"
    try:
        if file.stat().st_size > MAX_CONFIG_BYTES:
            raise CodecError(f"{file} is over {MAX_CONFIG_BYTES} bytes; that is no codec's config")
        config = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise CodecError(f"{file} could not be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise CodecError(f"{file} is not JSON") from error
    if not isinstance(config, dict):
        raise CodecError(f"{file} is not a JSON object")
    return config
