"""A model folder of `tiny`'s form with small random weights: the whole service runs on it, in milliseconds."""

from pathlib import Path

from finetune.tiny.package import write_random


def make_random_model(folder: Path, *, seed: int = 0, max_frames: int = 12) -> Path:
    """Writes the model into `folder` and returns it. Lines end at `max_frames` frames, hardly ever sooner."""
    write_random(folder, seed=seed, max_frames=max_frames)
    return folder
