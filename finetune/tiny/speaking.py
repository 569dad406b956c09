"""`tiny` speaking lines by voices of its folder, and its speaker encoder listening, for the judges of `evaluate`."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from finetune import speaking
from finetune.speaking import Listening
from finetune.tiny.teachers import SAMPLE_RATE_HZ
from kani_npc.codec.source_filter import ENCODER_FILE, SourceFilterCodec

MAX_FRAMES = 200


class Speaking:
    """Greedy, as the model ships. Shapes: K codebooks, F frames, N samples at 22 050 Hz, D embedding."""

    def __init__(self, model: Path) -> None:
        self._model = speaking.Speaking(model)
        self._listening = Listening.from_folder(model / "speaker")
        self.codec, self.encoder = self._model.codec, self._listening.encoder
        listed = json.loads((model / "voices.json").read_text())["voices"]
        self.voices = {v["id"]: np.array(v["embedding"], np.float32) for v in listed}
        self._with_encoder: SourceFilterCodec | None = None

    def codes(
        self,
        text: str,
        voice: str | NDArray[np.float32],
        tag: str | None,
        *,
        max_frames: int = MAX_FRAMES,
    ) -> Tensor:
        """The codes [K, F] of a line, by a voice of the folder or an embedding."""
        vector = self.voices[voice] if isinstance(voice, str) else voice
        return self._model.codes(text, vector, tag, max_frames=max_frames)

    def speak(
        self, text: str, voice: str | NDArray[np.float32], tag: str | None
    ) -> NDArray[np.float32]:
        """The sound [N] of a line."""
        return self.codec.decode(self.codes(text, voice, tag)).numpy()

    def encode(self, folder: Path, samples: NDArray[np.float32]) -> Tensor:
        """The codes [K, F] of a recording of whole frames. The codec's encoder is in the recipe's folder."""
        if self._with_encoder is None:
            codec = folder / "codec"
            self._with_encoder = SourceFilterCodec.from_folder(codec, encoder=codec / ENCODER_FILE)
        return self._with_encoder.encode(torch.from_numpy(samples)).long()

    def copy(self, folder: Path, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """A recording through the codec."""
        return self.codec.decode(self.encode(folder, samples)).numpy()

    def nearest(self, samples: NDArray[np.float32]) -> str:
        """The voice of the folder that a sound is most like."""
        heard_D = self.who([samples])
        return max(self.voices, key=lambda voice: float(self.voices[voice] @ heard_D))

    def who(self, sounds: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """The embedding [D] that these sounds have together."""
        return self._listening.who(sounds, SAMPLE_RATE_HZ)
