"""Judges accents with a probe: a small net that tells the teachers' accents apart, put to what `tiny` says.

The probe learns from the crowd's espeak-ng speakers, who speak every accent, so that it cannot go by the voice; it is
tested on speakers and lines that it has not heard. Then the same lines are spoken by `tiny` in the same voice, with
only the tag swapped, and the probe's accuracy is put beside its accuracy on the teachers.
"""

import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soxr
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from finetune.tiny import crowd
from finetune.tiny.encode import ACCENT_TAGS
from finetune.tiny.lines import lines
from finetune.tiny.speaking import Speaking
from finetune.tiny.teachers import ENGLISH, SAMPLE_RATE_HZ, speak
from kani_npc.speaker.log_mel import LogMelConfig, LogMelEncoder

TAGS = tuple(ACCENT_TAGS.values())
STEPS, BATCH, CROP_FRAMES = 500, 48, 160
LINES = 24  # that tiny says in every accent
VOICES = ("ada", "cedric", "rowan", "mira")  # the first two have heard all accents, the others one


class Probe(nn.Module):
    """A speaker encoder's net with an accent for each of its answers."""

    def __init__(self) -> None:
        super().__init__()
        self.net = LogMelEncoder(LogMelConfig("accents"))
        self.head = nn.Linear(self.net.config.dim, len(TAGS))

    def forward(self, log_mels_BMT: Tensor) -> Tensor:
        return self.head(10 * self.net(log_mels_BMT))

    @torch.no_grad()
    def heard(self, samples: NDArray[np.float32]) -> str:
        """The accent of a sound at 22 050 Hz."""
        log_mels_MT = self.log_mels(samples)
        return TAGS[int(self(log_mels_MT[None])[0].argmax())]

    def log_mels(self, samples: NDArray[np.float32]) -> Tensor:
        heard = soxr.resample(samples, SAMPLE_RATE_HZ, self.net.sample_rate_hz)
        return self.net.log_mels(torch.from_numpy(heard))


def judge(folder: Path, model: Path, *, seed: int = 0) -> dict[str, Any]:
    """Accuracy (0..1) on unheard teachers, on a voice's own teachers if it has all, their copies, and on tiny."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    probe = trained(folder, seed)
    unheard = [
        probe.heard((pcm / 32_768).astype(np.float32)) == ACCENT_TAGS[said.tag]
        for speaker in crowd.crowd()
        if speaker.is_held_out and not speaker.is_scaling
        for said, pcm in crowd.read(folder / "crowd", speaker)
        if said.tag in ACCENT_TAGS
    ]
    speaking = Speaking(model)
    texts = [text for text, _ in zip(_long_lines(seed), range(LINES), strict=False)]
    rows: list[dict[str, Any]] = []
    for voice in VOICES:
        teachers = {teacher.tag: teacher for teacher in ENGLISH if teacher.voice == voice}
        for tag in TAGS:
            heard = [probe.heard(speaking.speak(text, voice, tag)) for text in texts]
            row: dict[str, Any] = {"voice": voice, "tag": tag, "tiny": _share(heard, tag)}
            row["heard"] = {t: _share(heard, t) for t in TAGS}
            if len(teachers) == len(TAGS):
                said = [speak(teachers[tag], text) for text in texts]
                row["teacher"] = _share([probe.heard(x) for x in said], tag)
                copies = [speaking.copy(folder, x) for x in said]
                row["copy"] = _share([probe.heard(x) for x in copies], tag)
            rows.append(row)
    return {"unheard_teachers": float(np.mean(unheard)), "lines": LINES, "voices": rows}


def trained(folder: Path, seed: int) -> Probe:
    """The probe, from its file or made. Nothing of a held-out speaker or line has been shown to it."""
    path = folder / "evaluation" / "accent_probe.pt"
    probe = Probe()
    if path.exists():
        probe.load_state_dict(torch.load(path, weights_only=True))
        return probe.eval()
    by_tag: dict[str, list[Tensor]] = {tag: [] for tag in TAGS}
    for speaker in crowd.crowd():
        if not speaker.is_scaling and not speaker.is_held_out:
            for said, pcm in crowd.read(folder / "crowd", speaker):
                if said.tag in ACCENT_TAGS:
                    sound = probe.log_mels((pcm / 32_768).astype(np.float32))
                    by_tag[ACCENT_TAGS[said.tag]].append(sound.half())
    optimiser = torch.optim.AdamW(probe.parameters(), 2e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, 2e-3, total_steps=STEPS, cycle_momentum=False
    )
    rng = random.Random(seed)
    for _ in range(STEPS):
        labels = [rng.randrange(len(TAGS)) for _ in range(BATCH)]
        crops_BMT = torch.stack([_crop(by_tag[TAGS[label]], rng) for label in labels])
        loss = F.cross_entropy(probe(crops_BMT), torch.tensor(labels))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(probe.state_dict(), path)
    return probe.eval()


def _crop(sounds: Sequence[Tensor], rng: random.Random) -> Tensor:
    sound_MT = rng.choice(sounds)
    while sound_MT.shape[1] < CROP_FRAMES:
        sound_MT = torch.cat((sound_MT, rng.choice(sounds)), dim=1)
    first = rng.randrange(sound_MT.shape[1] - CROP_FRAMES + 1)
    return sound_MT[:, first : first + CROP_FRAMES].float()


def _long_lines(seed: int) -> Iterator[str]:
    return (text for text in lines(seed + 77, held_out=True) if len(text.split()) >= 7)


def _share(heard: Sequence[str], tag: str) -> float:
    return float(np.mean([one == tag for one in heard]))
