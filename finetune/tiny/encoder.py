"""Trains the speaker encoder of `tiny` to tell the voices of the corpus and the crowd apart, by their log-mels.

Additive-angular-margin softmax over the speakers, short crops, level-free input, noise and gentle equalisers put on in
the log-mel domain. Speakers that sound alike are one speaker: espeak-ng has variants that hardly differ, and they are
merged by how one line sounds before anything is trained, so that the encoder has no say in who is merged. A merged
group with a held-out member is held out whole.

Resumable and a function of the seed. Files in the recipe's folder:
    crowd/mels.npz         log-mels of everybody (made once)
    crowd/merged.json      who sounds like whom (made once)
    speaker/               config.json, model.safetensors: the encoder as it ships
    speaker/encoder.json   figures: equal error rates of held-out speakers
    speaker/training.pt    checkpoint
    embeddings.npz         for the language model: speakers, their mean embeddings [S, D], and single utterances'

Shapes: B rows, M bands, T frames, D embedding, S speakers.
"""

import json
import os
import random
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import soxr
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm

from finetune.device import autocast
from finetune.tiny import crowd
from finetune.tiny.crowd import Speaker
from finetune.tiny.lm import Spoken, read_codes
from finetune.tiny.speakers import Speakers
from finetune.tiny.teachers import SAMPLE_RATE_HZ, TEACHERS, speak
from kani_npc.codec.source_filter import SourceFilterCodec
from kani_npc.errors import ModelError
from kani_npc.speaker.enrollment import least_likeness
from kani_npc.speaker.load import load_speaker_encoder
from kani_npc.speaker.log_mel import HIGHEST_HZ, LOWEST_HZ, LogMelConfig, LogMelEncoder, hz, mel

SPACE = "tiny-2"
STEPS = 4_000
CHANNELS, POOLED_CHANNELS = 160, 320
BATCH = 64
# Each espeak-ng speaker is learned five times, its spectrum (pitch and formants) scaled by these: four more speakers.
# The flite voices have real scalings, close enough to each other to be told apart by a hair.
WARPS = (1.0, 0.84, 0.92, 1.09, 1.19)
FLITE_SHARE = 0.3  # of the crops
PEAK_RATE = 3e-3
SCALE, MARGIN = 24.0, 0.2
CROP_FRAMES = (100, 240)  # a length a step; 10 ms each
UTTERANCES_A_VOICE = 150  # of the corpus, for training
HELD_OUT_A_VOICE = 60
CHECKPOINT_EVERY = 500

COPY_STEPS = 1_500
COPY_RATE = 1e-3
COPIES_A_VOICE = 24

# espeak-ng is deterministic, so alike is told by one line: two variants are one speaker if it differs by less than
# this over all bands and frames (root mean square, natural log / 3: 4.7 dB). Some are equal to the bit under two
# names (klatt, klatt6, caleb) or nearly so (steph2, steph3); half of all pairs differ by more than 12 dB.
ALIKE = 0.18
ALIKE_LINE = "The old captain will bring nine golden apples to the river gate before the storm."


@dataclass(frozen=True, slots=True)
class Heard:
    """One utterance as the encoder hears it."""

    speaker: str
    is_held_out: bool  # the speaker, or the line of a voice of the corpus
    log_mels_MT: NDArray[np.float16]


def run(
    folder: Path,
    *,
    steps: int = STEPS,
    init: Path | None = None,
    threads: int = 1,
    seed: int = 0,
) -> dict[str, object]:
    """Trains to the end of `steps`, or on from the checkpoint, and writes the figures.

    `init` is the folder of a trained encoder such as the shipped one, which is taken as it is: its space stays, and
    what was enrolled in it. Raises `ModelError` if it is none of this kind and space.
    """
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    given = None if init is None else _taken_over(init)  # a wrong one is refused before the work
    heard = everybody(folder)
    merged = merge(folder)
    training, held_out = _split(heard, merged)
    print(
        f"{len(training)} speakers to learn, {len(held_out)} held out; {len(merged)} names merged",
        flush=True,
    )
    if given is None:
        config = LogMelConfig(SPACE, channels=CHANNELS, pooled_channels=POOLED_CHANNELS)
        encoder = LogMelEncoder(config)
        seconds = _train(encoder, training, folder / "speaker" / "training.pt", steps, seed)
        encoder.eval()
    else:
        encoder, steps, seconds = given, 0, 0.0
    changes = _changes(encoder, heard, held_out, seed)
    if given is None:
        encoder.config = replace(encoder.config, change_threshold=changes["threshold"])
    encoder.save(folder / "speaker")
    figures = _judge(encoder, heard, training, held_out, seed) | {
        "change_of_speaker": changes,
        "space": SPACE,
        "steps": steps,
        "training_minutes": round(seconds / 60, 1),
        "parameters": sum(p.numel() for p in encoder.parameters()),
        "bytes": (folder / "speaker" / "model.safetensors").stat().st_size,
        "speakers_learned": len(training),
        "merged": dict(sorted(merged.items())),
    }
    _write_embeddings(encoder, heard, folder / "embeddings.npz")
    text = json.dumps(figures, indent=2) + "\n"
    (folder / "speaker" / "encoder.json").write_text(text)
    print(text, flush=True)
    return figures


def _taken_over(folder: Path) -> LogMelEncoder:
    encoder = load_speaker_encoder(folder)
    if not isinstance(encoder, LogMelEncoder) or encoder.space != SPACE:
        raise ModelError(
            f"{folder} has no encoder of the space {SPACE!r}, but of {encoder.space!r}"
        )
    return encoder


# --- who there is ------------------------------------------------------------------------------------------------


def everybody(folder: Path) -> list[Heard]:
    """The log-mels of corpus and crowd: from their cache, or made."""
    cache = folder / "crowd" / "mels.npz"
    if not cache.exists():
        heard = _hear(folder)
        unfinished = cache.with_name("mels.part.npz")
        np.savez(
            unfinished,
            speaker=np.array([h.speaker for h in heard]),
            held_out=np.array([h.is_held_out for h in heard]),
            frames=np.array([h.log_mels_MT.shape[1] for h in heard]),
            log_mels=np.concatenate([h.log_mels_MT for h in heard], axis=1),
        )
        os.replace(unfinished, cache)
    with np.load(cache) as file:
        pieces = np.split(file["log_mels"], np.cumsum(file["frames"])[:-1], axis=1)
        rows = zip(file["speaker"], file["held_out"], pieces, strict=True)
        return [Heard(str(name), bool(h), np.ascontiguousarray(x)) for name, h, x in rows]


def _hear(folder: Path) -> list[Heard]:
    from finetune.tiny.data import shards  # brings pyworld, which only making the corpus needs

    encoder = LogMelEncoder(LogMelConfig(SPACE))

    def log_mels(samples: NDArray[np.float32]) -> NDArray[np.float16]:
        resampled = soxr.resample(samples, SAMPLE_RATE_HZ, encoder.sample_rate_hz)
        return encoder.log_mels(torch.from_numpy(resampled)).numpy().astype(np.float16)

    heard: list[Heard] = []
    counts: dict[tuple[str, bool], int] = defaultdict(int)
    for shard in tqdm(shards(folder / "corpus"), unit="shard", mininterval=5):
        limit = HELD_OUT_A_VOICE if shard.is_held_out else UTTERANCES_A_VOICE
        for utterance in shard.utterances:
            key = (utterance.voice, shard.is_held_out)
            if counts[key] < limit:
                counts[key] += 1
                sound = log_mels(shard.samples(utterance))
                heard.append(Heard(utterance.voice, shard.is_held_out, sound))
    for speaker in tqdm(crowd.crowd(), unit="speaker", mininterval=5):
        for _, pcm in crowd.read(folder / "crowd", speaker):
            sound = log_mels((pcm / 32_768).astype(np.float32))
            heard.append(Heard(speaker.name, speaker.is_held_out, sound))
    return heard


def merge(folder: Path) -> dict[str, str]:
    """Names of espeak-ng variants that sound like another one or like a voice of the corpus, and that other's name."""
    cache = folder / "crowd" / "merged.json"
    if cache.exists():
        return json.loads(cache.read_text())
    encoder = LogMelEncoder(LogMelConfig(SPACE))
    firsts = {t.voice: t for t in reversed(TEACHERS) if t.engine == "espeak"}
    voices = [Speaker(voice, (teacher,), False) for voice, teacher in firsts.items()]
    said: dict[str, Tensor] = {}
    for speaker in [*voices, *(s for s in crowd.crowd() if not s.is_scaling)]:
        samples = speak(speaker.teachers[0], ALIKE_LINE)
        samples = soxr.resample(samples, SAMPLE_RATE_HZ, encoder.sample_rate_hz)
        log_mels_1MT = encoder.log_mels(torch.from_numpy(samples))[None]
        said[speaker.name] = F.interpolate(
            log_mels_1MT, size=240, mode="linear"
        )  # some speak faster
    merged: dict[str, str] = {}
    for name, sound in said.items():
        for first in said:
            if first == name:
                break
            if first not in merged and (said[first] - sound).square().mean().sqrt() < ALIKE:
                merged[name] = first
                break
    cache.write_text(json.dumps(merged, indent=2) + "\n")
    return merged


def _split(
    heard: Sequence[Heard], merged: Mapping[str, str]
) -> tuple[dict[str, list[Tensor]], dict[str, list[Tensor]]]:
    """Utterances of the speakers to learn from, and of those held out."""
    members = {speaker.name: speaker for speaker in crowd.crowd()}
    held_names = {
        merged.get(name, name) for name, speaker in members.items() if speaker.is_held_out
    } & members.keys()  # like a voice of the corpus: not held out after all
    training: dict[str, list[Tensor]] = defaultdict(list)
    held_out: dict[str, list[Tensor]] = defaultdict(list)
    for h in heard:
        name = merged.get(h.speaker, h.speaker)
        sound = torch.from_numpy(h.log_mels_MT)
        if h.speaker in members:
            (held_out if name in held_names else training)[name].append(sound)
        elif not h.is_held_out:
            training[name].append(sound)
    return training, held_out


# --- learning ----------------------------------------------------------------------------------------------------


def _train(
    encoder: LogMelEncoder,
    training: Mapping[str, Sequence[Tensor]],
    checkpoint: Path,
    steps: int,
    seed: int,
    until: int | None = None,
) -> float:
    """To the last of `steps`, or `until` one of them. Returns the seconds it took, earlier runs included."""
    until = steps if until is None else until
    classes = _classes(training)
    centres = nn.Parameter(0.1 * torch.randn(len(classes), encoder.config.dim))
    optimiser = torch.optim.AdamW([*encoder.parameters(), centres], PEAK_RATE, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, PEAK_RATE, total_steps=steps + 1, pct_start=0.1, cycle_momentum=False
    )
    step, before_s = 0, 0.0
    if checkpoint.exists():
        kept = torch.load(checkpoint, weights_only=True)
        encoder.load_state_dict(kept["encoder"])
        centres.data.copy_(kept["centres"])
        optimiser.load_state_dict(kept["optimiser"])
        schedule.load_state_dict(kept["schedule"])
        step, before_s = kept["step"], kept["seconds"]
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    encoder.train()
    started = time.monotonic()
    with tqdm(total=steps, initial=step, mininterval=5) as progress:
        while step < until:
            rng = random.Random(f"{seed}/{step}")
            crops_BMT, label_B = _batch(classes, rng)
            noise = torch.Generator().manual_seed(rng.getrandbits(62))
            with autocast(torch.device("cpu")):
                out_BD = encoder(augmented(crops_BMT, noise)).float()
            cosine_BS = out_BD @ F.normalize(centres, dim=1).T
            loss = F.cross_entropy(_with_margin(cosine_BS, label_B), label_B)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            schedule.step()
            step += 1
            progress.update()
            if step % 100 == 0:
                right = (cosine_BS.argmax(1) == label_B).float().mean()
                progress.set_postfix_str(f"loss {loss.item():.2f}, right {right:.0%}")
            if step % CHECKPOINT_EVERY == 0 or step == until:
                kept = {
                    "encoder": encoder.state_dict(),
                    "centres": centres.data,
                    "optimiser": optimiser.state_dict(),
                    "schedule": schedule.state_dict(),
                    "step": step,
                    "seconds": before_s + time.monotonic() - started,
                }
                draft = checkpoint.with_suffix(".part")
                torch.save(kept, draft)
                os.replace(draft, checkpoint)
    return before_s + time.monotonic() - started


@dataclass(frozen=True, slots=True)
class Class:
    """Someone to tell from all others: a speaker, or a speaker scaled."""

    utterances: Sequence[Tensor]
    warp: float
    weight: float  # how often it is drawn, against the others


def _classes(training: Mapping[str, Sequence[Tensor]]) -> list[Class]:
    voices = {teacher.voice: teacher.engine == "flite" for teacher in TEACHERS}
    is_flite = voices | {speaker.name: speaker.is_scaling for speaker in crowd.crowd()}
    flite = [name for name in training if is_flite[name]]
    others = [name for name in training if not is_flite[name]]
    classes = [Class(training[name], 1.0, FLITE_SHARE / len(flite)) for name in flite]
    weight = (1 - FLITE_SHARE) / len(others) / len(WARPS)
    return classes + [Class(training[name], warp, weight) for name in others for warp in WARPS]


def _batch(classes: Sequence[Class], rng: random.Random) -> tuple[Tensor, Tensor]:
    """Crops of one length, [B, M, T], and who speaks in them, [B]."""
    length = rng.randint(*CROP_FRAMES)
    weights = [each.weight for each in classes]
    labels = rng.choices(range(len(classes)), weights, k=BATCH)
    crops: list[Tensor] = []
    for label in labels:
        pieces = [rng.choice(classes[label].utterances)]
        while (
            sum(piece.shape[1] for piece in pieces) < length
        ):  # two lines, as in a longer recording
            pieces.append(rng.choice(classes[label].utterances))
        whole = torch.cat(pieces, dim=1)
        first = rng.randrange(whole.shape[1] - length + 1)
        crop_MT = whole[:, first : first + length].float()
        if classes[label].warp != 1.0:
            crop_MT = _warp(len(crop_MT), classes[label].warp) @ crop_MT
        crops.append(crop_MT)
    return torch.stack(crops), torch.tensor(labels)


@cache
def _warp(bands: int, factor: float) -> Tensor:
    """[M, M]: a spectrum over mel bands as it is when all its frequencies are times `factor`."""
    mels = np.linspace(mel(LOWEST_HZ), mel(HIGHEST_HZ), bands + 2)[1:-1]
    sources = [mel(hz(m) / factor) for m in mels]
    at = np.interp(sources, mels, np.arange(bands))
    low = np.minimum(at.astype(int), bands - 2)
    matrix = np.zeros((bands, bands), np.float32)
    matrix[np.arange(bands), low] = 1 - (at - low)
    matrix[np.arange(bands), low + 1] = at - low
    return torch.from_numpy(matrix)


def augmented(crops_BMT: Tensor, noise: torch.Generator) -> Tensor:
    """As if heard through another microphone (a smooth curve over the bands) in a room that is not silent.

    Level needs nothing: `log_mels` takes it out.
    """
    rows, bands, _ = crops_BMT.shape
    knots_B1K = 0.12 * torch.randn(rows, 1, 6, generator=noise)  # natural log / 3: 3 dB
    curve_BM = F.interpolate(knots_B1K, size=bands, mode="linear", align_corners=True)[:, 0]
    curve_BM *= (torch.rand(rows, 1, generator=noise) < 0.7).float()
    x_BMT = crops_BMT + curve_BM[:, :, None]
    # Noise from 60 to 15 dB below the loudest band, its spectrum falling a little: magnitudes add as powers do.
    under_dB = 15 + 45 * torch.rand(rows, 1, 1, generator=noise)
    tilt_M1 = torch.linspace(1.0, -1.0, bands)[:, None] * torch.rand(rows, 1, 1, generator=noise)
    level = x_BMT.amax((1, 2), keepdim=True) - under_dB * 0.1151 / 3 + tilt_M1 / 3
    flutter = 0.15 * torch.randn(x_BMT.shape, generator=noise)
    x_BMT = torch.logaddexp(6 * x_BMT, 6 * (level + flutter)) / 6
    return x_BMT - x_BMT.mean((1, 2), keepdim=True)


def _with_margin(cosine_BS: Tensor, label_B: Tensor) -> Tensor:
    """The right speaker's angle is made larger by MARGIN: it must win by that much (ArcFace, 1801.07698)."""
    right_B = cosine_BS.gather(1, label_B[:, None]).clamp(-1 + 1e-6, 1 - 1e-6)
    harder_B = (right_B.acos() + MARGIN).clamp_max(torch.pi).cos()
    return SCALE * cosine_BS.scatter(1, label_B[:, None], harder_B)


# --- through the codec ---


def hear_copies(folder: Path, *, steps: int = COPY_STEPS, threads: int = 2, seed: int = 0) -> None:
    """Teaches the trained encoder that a speaker's copy through the codec is that speaker, and judges it again.

    The space stays: the answer that is asked for, for a recording and for its copy, is the encoder's own for the
    recording. Only speakers that it was trained on are copied. `embeddings.npz` is left as it is. It begins with the
    encoder in `speaker/`: run again, it goes on from what it has taught.
    """
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    was, encoder = (_taken_over(folder / "speaker") for _ in range(2))
    encoder.requires_grad_(True)
    heard, merged = everybody(folder), merge(folder)
    training, held_out = _split(heard, merged)
    recordings = [sound for sounds in training.values() for sound in sounds]
    copies = _copies(folder, was)
    # Batch statistics of copies and recordings together: no layer needs others to serve with.
    optimiser = torch.optim.AdamW(encoder.parameters(), COPY_RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, COPY_RATE, total_steps=steps, cycle_momentum=False
    )
    encoder.train()
    for step in tqdm(range(steps), mininterval=5):
        rng = random.Random(f"{seed}/{step}")
        length = rng.randint(*CROP_FRAMES)
        pairs = rng.choices(copies, k=BATCH // 2)
        crops_BMT = torch.stack([_stretch(copy_MT, length, rng) for copy_MT, _ in pairs])
        own_BMT = torch.stack([_stretch(rng.choice(recordings), length, rng) for _ in pairs])
        noise = torch.Generator().manual_seed(rng.getrandbits(62))
        with torch.no_grad():
            wanted_BD = torch.cat((torch.stack([own_D for _, own_D in pairs]), was(own_BMT)))
        with autocast(torch.device("cpu")):
            out_BD = encoder(augmented(torch.cat((crops_BMT, own_BMT)), noise)).float()
        loss = (1 - (out_BD * wanted_BD).sum(1)).mean()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        schedule.step()
    encoder.eval()
    changes = _changes(encoder, heard, held_out, seed)
    encoder.config = replace(encoder.config, change_threshold=changes["threshold"])
    encoder.save(folder / "speaker")
    path = folder / "speaker" / "encoder.json"
    figures = json.loads(path.read_text()) | _judge(encoder, heard, training, held_out, seed)
    figures |= {"change_of_speaker": changes, "copies": len(copies), "copy_steps": steps}
    path.write_text(json.dumps(figures, indent=2) + "\n")
    print(path.read_text(), flush=True)


def _copies(folder: Path, encoder: LogMelEncoder) -> list[tuple[Tensor, Tensor]]:
    """Log-mels [M, T] of learned speakers' lines after the codec, with the speakers' own mean embeddings [D]."""
    codec = SourceFilterCodec.from_folder(folder / "codec")
    own = Speakers.heard(folder / "embeddings.npz").vectors
    kept, _ = read_codes(folder / "codes.npz")
    rng = random.Random(0)
    by_voice: dict[str, list[Spoken]] = defaultdict(list)
    for spoken in kept:
        by_voice[spoken.voice].append(spoken)
    copies: list[tuple[Tensor, Tensor]] = []
    for voice, lines in tqdm(by_voice.items(), unit="speaker", mininterval=5):
        for spoken in rng.sample(lines, min(COPIES_A_VOICE, len(lines))):
            codes_KF = torch.from_numpy(spoken.codes_FK.T.astype(np.int64))
            samples = soxr.resample(
                codec.decode(codes_KF).numpy(), SAMPLE_RATE_HZ, encoder.sample_rate_hz
            )
            copies.append(
                (encoder.log_mels(torch.from_numpy(samples)), torch.from_numpy(own[voice]))
            )
    return copies


def _stretch(sound_MT: Tensor, length: int, rng: random.Random) -> Tensor:
    """So many frames of a sound, said again where it is too short."""
    times = -(-length // sound_MT.shape[1])
    first = rng.randrange(times * sound_MT.shape[1] - length + 1)
    return sound_MT.float().repeat(1, times)[:, first : first + length]


# --- judging -----------------------------------------------------------------------------------------------------


@torch.no_grad()
def embeddings(encoder: LogMelEncoder, utterances: Sequence[Tensor]) -> Tensor:
    """One by one, as serving does: [U, D]."""
    return torch.cat([encoder(sound.float()[None]) for sound in utterances])


def equal_error_rate(
    same: NDArray[np.float64], different: NDArray[np.float64]
) -> tuple[float, float]:
    """(rate, threshold) at which as many pairs of one speaker are refused as pairs of two are accepted."""
    thresholds = np.sort(np.concatenate([same, different]))
    refused = np.searchsorted(np.sort(same), thresholds) / len(same)
    accepted = 1 - np.searchsorted(np.sort(different), thresholds) / len(different)
    at = int(np.abs(refused - accepted).argmin())
    return float((refused[at] + accepted[at]) / 2), float(thresholds[at])


def _rates(groups: Sequence[Tensor]) -> dict[str, float]:
    """Equal error rate over all pairs of utterances of these speakers [U, D]."""
    all_UD = torch.cat(list(groups)).double()
    label_U = torch.repeat_interleave(
        torch.arange(len(groups)), torch.tensor([len(g) for g in groups])
    )
    cosine = (all_UD @ all_UD.T).numpy()
    pairs = np.triu_indices(len(label_U), 1)
    is_same = (label_U[:, None] == label_U).numpy()[pairs]
    same, different = cosine[pairs][is_same], cosine[pairs][~is_same]
    rate, threshold = equal_error_rate(same, different)
    return {
        "speakers": len(groups),
        "utterances": len(label_U),
        "equal_error_rate": round(rate, 4),
        "threshold": round(threshold, 3),
        "same_mean": round(float(same.mean()), 3),
        "same_5_percent": round(float(np.quantile(same, 0.05)), 3),
        "different_mean": round(float(different.mean()), 3),
        "different_99_percent": round(float(np.quantile(different, 0.99)), 3),
    }


def _judge(
    encoder: LogMelEncoder,
    heard: Sequence[Heard],
    training: Mapping[str, Sequence[Tensor]],
    held_out: Mapping[str, Sequence[Tensor]],
    seed: int,
) -> dict[str, object]:
    rng = random.Random(seed)

    def rates(speakers: Mapping[str, Sequence[Tensor]], lines: int = 1) -> dict[str, float]:
        some = [rng.sample(list(u), min(20, len(u))) for u in speakers.values()]
        joined = [
            [torch.cat(u[i : i + lines], 1) for i in range(0, len(u) - lines + 1, lines)]
            for u in some
        ]
        return _rates([embeddings(encoder, u) for u in joined])

    voices: dict[str, list[Tensor]] = defaultdict(list)
    unmerged: dict[str, list[Tensor]] = defaultdict(list)
    names = {speaker.name for speaker in crowd.crowd() if speaker.is_held_out}
    for h in heard:
        if h.is_held_out and h.speaker not in names:
            voices[h.speaker].append(torch.from_numpy(h.log_mels_MT))
        elif h.speaker in names:
            unmerged[h.speaker].append(torch.from_numpy(h.log_mels_MT))
    scalings = {name: u for name, u in held_out.items() if not name.startswith("e-")}
    return {
        "held_out_speakers": rates(held_out),
        "held_out_speakers_three_lines": rates(held_out, lines=3),
        "held_out_speakers_one_accent": rates(
            {name: list(u)[:: len(crowd.ACCENTS)] for name, u in held_out.items()}
        ),
        "held_out_speakers_without_merging": rates(unmerged),
        "held_out_scalings_and_voices": rates(scalings | voices),
        "voices_on_held_out_lines": rates(voices),
        "learned_speakers": rates(training),
    }


def _changes(
    encoder: LogMelEncoder,
    heard: Sequence[Heard],
    held_out: Mapping[str, Sequence[Tensor]],
    seed: int,
) -> dict[str, float]:
    """Where to draw the line between one speaker and two, from recordings of 8 s of each kind.

    Measured as `enrollment.steadiness` does: two windows of 2 s on each side of every place. Low enough that one
    recording in a hundred of one speaker is refused.
    """
    rng = random.Random(seed)
    speakers = {name: list(utterances) for name, utterances in held_out.items()}
    names = {speaker.name for speaker in crowd.crowd()}
    for h in heard:
        if h.is_held_out and h.speaker not in names:
            speakers.setdefault(h.speaker, []).append(torch.from_numpy(h.log_mels_MT))

    def stretch(name: str, frames: int) -> Tensor:
        # In one accent: the crowd's take turns. Nobody changes theirs within a recording.
        accents = len(crowd.ACCENTS)
        own = speakers[name][rng.randrange(accents) :: accents]
        return torch.cat([rng.choice(own) for _ in range(12)], dim=1)[:, :frames].float()

    def steadiness(recording_MT: Tensor) -> float:
        starts = range(0, recording_MT.shape[1] - 199, 100)
        windows = torch.stack([recording_MT[:, first : first + 200] for first in starts])
        return least_likeness(encoder(windows).numpy(), list(starts), 200)

    with torch.no_grad():
        one = [steadiness(stretch(rng.choice(list(speakers)), 800)) for _ in range(400)]
        two: list[float] = []
        for _ in range(400):
            first, second = rng.sample(list(speakers), 2)
            at = rng.randint(250, 550)
            pair = torch.cat([stretch(first, at), stretch(second, 800 - at)], dim=1)
            two.append(steadiness(pair))
    threshold = round(float(np.quantile(one, 0.01)), 3)
    return {
        "threshold": threshold,
        "one_speaker_refused": float(np.mean(np.array(one) < threshold)),
        "two_speakers_found": float(np.mean(np.array(two) < threshold)),
        "one_speaker_median": round(float(np.median(one)), 3),
        "two_speakers_median": round(float(np.median(two)), 3),
    }


def _write_embeddings(encoder: LogMelEncoder, heard: Sequence[Heard], path: Path) -> None:
    """Of everybody but the held-out speakers, from lines that may be trained on."""
    by_speaker: dict[str, list[Tensor]] = defaultdict(list)
    for h in heard:
        if not h.is_held_out:
            by_speaker[h.speaker].append(torch.from_numpy(h.log_mels_MT))
    utterances = {name: embeddings(encoder, own) for name, own in by_speaker.items()}
    draft = path.with_suffix(".part.npz")
    np.savez(
        draft,
        speaker=np.array(list(utterances)),
        centroid=torch.stack([F.normalize(x.mean(0), dim=0) for x in utterances.values()]).numpy(),
        utterance_speaker=np.array([name for name, x in utterances.items() for _ in x]),
        utterance=torch.cat(list(utterances.values())).numpy(),
        space=np.array(SPACE),
    )
    os.replace(draft, path)
