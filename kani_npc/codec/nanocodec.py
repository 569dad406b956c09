"""NanoCodec, the codec: decodes and encodes whole utterances, opens and saves itself.

The network is in `network`, streams are in `streaming`, NeMo's files in `nemo`. Knows no voices and no engine.

Shapes: B batch, K codebooks, F frames, N samples, D latent rows.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from kani_npc.codec.fsq import GroupFSQ
from kani_npc.codec.nemo import check_state, fold_weight_norm, from_nemo_state, read_nemo
from kani_npc.codec.network import Decoder, Encoder, NanoCodecConfig
from kani_npc.codec.streaming import StreamingDecoder
from kani_npc.errors import CodecError

SERVING_DTYPES = (torch.float32, torch.bfloat16, torch.float16)


class NanoCodec(nn.Module):
    """The codec: see `protocol.Codec`. Training works on `encoder`, `quantizer` and `decoder` directly."""

    kind = "nanocodec"

    def __init__(self, config: NanoCodecConfig | None = None) -> None:
        super().__init__()
        self.config = config or NanoCodecConfig()
        self.encoder = Encoder(self.config)
        self.decoder = Decoder(self.config)
        self.quantizer = GroupFSQ(self.config.levels_per_group, self.config.num_groups)
        self.sample_rate_hz = self.config.sample_rate_hz
        self.samples_per_frame = self.config.samples_per_frame
        self.num_codebooks = self.config.num_groups
        self.codebook_size = self.quantizer.codebook_size
        self.serving_dtype = torch.float32
        self._packed: StreamingDecoder | None = None

    # --- files

    @classmethod
    def from_nemo(cls, file: str | Path) -> Self:
        """Reads a `.nemo` file.

        Raises `CodecError` for a file that is none, `CheckpointError` for weights that do not fit.
        """
        file = Path(file)
        config, state = read_nemo(file)
        config = NanoCodecConfig.from_nemo(config)
        return cls.from_state(config, from_nemo_state(state, config, str(file)), str(file))

    @classmethod
    def from_folder(cls, folder: str | Path) -> Self:
        """Reads config.json and model.safetensors as `save` writes them; errors as `from_nemo`."""
        folder = Path(folder)
        file = folder / "model.safetensors"
        try:
            config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise CodecError(f"{folder / 'config.json'} could not be read as JSON") from error
        try:
            state = load_file(file)
        except (OSError, SafetensorError) as error:
            raise CodecError(
                f"{file} could not be read: missing, cut short or no safetensors file"
            ) from error
        return cls.from_state(NanoCodecConfig.from_json(config), state, str(file))

    def save(self, folder: str | Path) -> None:
        """Writes config.json and model.safetensors, weight norm folded; also over the folder it came from."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        state = {
            key: value.detach().cpu().contiguous()
            for key, value in fold_weight_norm(self.state_dict()).items()
        }
        # Beside and then in place: weights that were read from there are still mapped from the old file.
        beside = folder / "model.safetensors.new"
        save_file(state, beside)
        beside.replace(folder / "model.safetensors")
        config = {"kind": self.kind, **asdict(self.config)}
        (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")

    @classmethod
    def from_state(cls, config: NanoCodecConfig, state: Mapping[str, Tensor], source: str) -> Self:
        """A codec that owns these weights, in our names and folded; `source` is named in errors."""
        # On the meta device first: 60 M random numbers that nobody needs would take longer than reading the file.
        with torch.device("meta"):
            codec = cls(config)
        codec.quantizer = GroupFSQ(config.levels_per_group, config.num_groups)
        check_state(state, {key: value.shape for key, value in codec.state_dict().items()}, source)
        codec.load_state_dict({key: value.float() for key, value in state.items()}, assign=True)
        return codec

    # --- use

    def serve(self, device: str | torch.device = "cpu", dtype: torch.dtype = torch.float32) -> Self:
        """For decoding from now on: on `device`, the decoder's large layers in `dtype`."""
        if dtype not in SERVING_DTYPES:
            raise CodecError(f"NanoCodec cannot decode in {dtype}; it can in {SERVING_DTYPES}")
        self.serving_dtype = dtype
        return self.to(device).eval().requires_grad_(False)

    def streaming_decoder(self) -> StreamingDecoder:
        """A decoder for streams. It keeps a packed copy of the weights, the same one until they change:
        after an optimiser's steps call `eval`, as before any decoding.
        """
        if self._packed is None:
            self._packed = StreamingDecoder(self.decoder, self.quantizer, self.serving_dtype)
        return self._packed

    def decode(self, codes_KF: Tensor) -> Tensor:
        """Codes [K, F] -> samples [F * samples_per_frame] float32. Raises `CodecError` for codes that are none."""
        if codes_KF.ndim != 2:
            raise CodecError(
                f"codes have shape {list(codes_KF.shape)}; expected [{self.num_codebooks}, frames]"
            )
        return self.decode_batch(codes_KF[None])[0]

    def decode_batch(
        self, codes_BKF: Tensor, frames_B: Sequence[int] | Tensor | None = None
    ) -> Tensor:
        """Codes [B, K, F] -> samples [B, F * samples_per_frame], zero past each item's own `frames_B`.

        The decoder is causal: what stands behind an item's end cannot reach it, and need not be a legal code.
        """
        frames = codes_BKF.shape[-1]
        codes_BKF = codes_BKF.to(self.device)
        valid = None
        if frames_B is not None:
            valid = self._valid(frames_B, codes_BKF.shape[0], frames)
            codes_BKF = torch.where(valid[:, None], codes_BKF, 0)
        self.quantizer.check(codes_BKF)
        decoder = self.streaming_decoder()
        samples = decoder(codes_BKF, decoder.init_state(codes_BKF.shape[0]))
        if valid is not None:
            samples *= valid.repeat_interleave(self.samples_per_frame, dim=1)
        return samples

    def encode(self, samples_N: Tensor) -> Tensor:
        """Samples [N] -> codes [K, ceil(N / samples_per_frame)] int64."""
        if samples_N.ndim != 1:
            raise CodecError(f"samples have shape {list(samples_N.shape)}; expected [samples]")
        return self.encode_batch(samples_N[None])[0]

    def encode_batch(
        self, samples_BN: Tensor, lengths_B: Sequence[int] | Tensor | None = None
    ) -> Tensor:
        """Samples [B, N] with `lengths_B` samples each -> codes [B, K, F] int64, zero past each item's own frames.

        As NeMo does it: an item's last frames differ from the same item encoded alone.
        """
        return self.encode_latents(samples_BN, lengths_B)[1]

    @torch.inference_mode()
    def encode_latents(
        self, samples_BN: Tensor, lengths_B: Sequence[int] | Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """As `encode_batch`: latents [B, D, F] before quantisation, and codes [B, K, F]."""
        if samples_BN.ndim != 2 or not samples_BN.is_floating_point():
            raise CodecError(
                f"samples are {samples_BN.dtype} {list(samples_BN.shape)}; expected float [batch, samples]"
            )
        samples_BN = samples_BN.to(self.device, torch.float32)
        batch, num_samples = samples_BN.shape
        if lengths_B is None:
            lengths_B = [num_samples] * batch
        samples_BN = torch.where(self._valid(lengths_B, batch, num_samples), samples_BN, 0.0)
        if not torch.isfinite(samples_BN).all():
            raise CodecError("samples are not finite")
        frames = -(-num_samples // self.samples_per_frame)
        if not frames:
            empty = samples_BN.new_zeros(batch, self.config.latent_size, 0)
            return empty, self.quantizer.encode(empty)
        frames_B = -(-torch.as_tensor(lengths_B, device=self.device) // self.samples_per_frame)
        padded = F.pad(samples_BN, (0, frames * self.samples_per_frame - num_samples))
        latents = self.encoder(padded, frames_B)
        codes = self.quantizer.encode(latents)
        return latents, torch.where(self._valid(frames_B, batch, frames)[:, None], codes, 0)

    def _valid(self, lengths_B: Sequence[int] | Tensor, batch: int, longest: int) -> Tensor:
        """True [B, `longest`] where an item still is."""
        lengths = torch.as_tensor(lengths_B, device=self.device)
        if lengths.shape != (batch,) or bool(((lengths < 0) | (lengths > longest)).any()):
            raise CodecError(f"{batch} items need {batch} lengths of 0 to {longest}")
        return torch.arange(longest, device=self.device) < lengths[:, None]

    @property
    def device(self) -> torch.device:
        return (
            self.decoder.pre_conv.bias.device
            if self.decoder.pre_conv.bias is not None
            else torch.device("cpu")
        )

    # What may have changed the weights makes the packed copy stale.

    def train(self, mode: bool = True) -> Self:
        self._packed = None
        return super().train(mode)

    def _apply(self, fn: Any, recurse: bool = True) -> Self:
        self._packed = None
        return super()._apply(fn, recurse)

    def load_state_dict(self, *args: Any, **kwargs: Any) -> Any:
        self._packed = None
        return super().load_state_dict(*args, **kwargs)
