"""Teaches `tiny`'s language model to take its voices from recordings: the speaker encoder's space for its speaker slot.

The model was trained with a fixed vector a voice (`speakers`). First the smallest linear map that takes each voice's
centroid to its fixed vector is folded into the speaker projection: the voices go on as they were, bit-close, and
other embeddings mean something between them. Then the model is trained on for a few minutes with the embeddings of
other utterances of the same speaker, with noise, on the corpus and on more scalings of the flite voices, so that the
space between the voices is lived in. The same loop, losses and batches as `lm`.

Reads lm.pt, embeddings.npz, crowd/ and speaker/. Files it writes in the recipe's folder:
    crowd/codes.npz          the scalings' lines as codes, as `encode` writes them
    lm_adapt.pt              checkpoint; lm_adapt_log.jsonl, a row every evaluation
    lm_adapted.safetensors   the weights; lm.pt is left as it is
    lm_adapted.json          figures: held-out nats before and after, voice by voice
    enrolment.json           what a held-out scaling sounds like when it is enrolled from three clips

Shapes: V voices, D embedding, H hidden, U utterances.
"""

import io
import json
import os
import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor

from finetune.tiny import crowd
from finetune.tiny.encoder import Heard, embeddings, everybody
from finetune.tiny.lm import (
    Batch,
    Example,
    Examples,
    Spoken,
    Trainer,
    fit,
    held_out_nll,
    new_lm,
    rate,
    read_codes,
    trained,
)
from finetune.tiny.package import ADAPTED_FILE, tokenizer
from finetune.tiny.speakers import Speakers, speaker_vector
from finetune.tiny.teachers import SAMPLE_RATE_HZ, TEACHERS
from kani_npc.codec.source_filter import ENCODER_FILE, SourceFilterCodec
from kani_npc.lm.generate import generate
from kani_npc.lm.model import Lfm2
from kani_npc.prompt import build_prompt
from kani_npc.speaker import enrollment
from kani_npc.speaker.load import load_speaker_encoder
from kani_npc.speaker.log_mel import LogMelEncoder
from kani_npc.speaker.protocol import SpeakerEncoder
from kani_npc.speech import Sampling
from kani_npc.text.phones import PhoneTokenizer
from kani_npc.tokens import TokenLayout

SHARE_OF_PEAK = 0.2  # of the rates that the model was trained with
# Of each of the embedding's dims: a cosine of 0.99 to the clean one. With 0.03 (0.94) a scaling of five hundredths
# could not be told from its neighbours, and the model spoke with the nearest voice that it knew.
NOISE = 0.01
CENTROID_SHARE = 0.25  # of the rows have the voice's centroid, as the shipped voices do
# Of an epoch, which is about as much as is trained: the scalings' lines come so often, and so many lines of the corpus
# for each of them. With as many of one as of the other the voices' own held-out lines lost 0.3 nats.
CROWD_TIMES, CORPUS_TIMES = 2, 4
HELD_OUT_LINES = 20  # a voice, for the figures
MOST_LOST_NATS = 0.05  # by the map, before anything is trained
ENROLMENT_CLIPS = 3
SPOKEN_LINES = 5


# --- the map -----------------------------------------------------------------------------------------------------


def speaker_map(centroids_VD: Tensor, vectors_VD: Tensor) -> Tensor:
    """The smallest matrix [D, D] that takes each centroid to its vector; what is across all of them it takes to 0."""
    return (torch.linalg.pinv(centroids_VD.double()) @ vectors_VD.double()).T.float()


@torch.no_grad()
def fold(lm: Lfm2, map_DD: Tensor) -> None:
    """Puts the map before the speaker projection."""
    weight_HD = lm.speaker_emb_projection.weight
    weight_HD.copy_(weight_HD.double() @ map_DD.double())


def _shipped(folder: Path) -> Mapping[str, NDArray[np.float32]]:
    """The voices as `package` writes them with adapted weights."""
    return Speakers.heard(folder / "embeddings.npz").vectors


def folded(folder: Path) -> Lfm2:
    """The trained model with the map in it: its voices by their centroids, said as before."""
    before = trained(folder)
    voices = _shipped(folder)
    vectors_VD = torch.stack([torch.from_numpy(speaker_vector(voice)) for voice in voices])
    own_VD = torch.stack([torch.from_numpy(centroid) for centroid in voices.values()])
    lm = new_lm(tokenizer(), before.config.audio_step)
    lm.load_state_dict(before.state_dict())
    fold(lm, speaker_map(own_VD, vectors_VD))
    return lm


def adapted(folder: Path) -> Lfm2:
    """The adapted model. Its voices are `_shipped`, in the space of the encoder in speaker/."""
    lm = new_lm(tokenizer(), _audio_step(folder))
    lm.load_state_dict(load_file(folder / ADAPTED_FILE))
    return lm.eval().requires_grad_(False)


# --- who speaks in a row -----------------------------------------------------------------------------------------


class Recorded(Examples):
    """Rows whose speaker is heard: a centroid, or some other utterances of the same speaker, with noise."""

    def __init__(
        self,
        layout: TokenLayout,
        encode: PhoneTokenizer,
        audio_step: float,
        utterances_UD: Mapping[str, Tensor],
        *,
        centroids: Mapping[str, Tensor] | None = None,
        noise: float = NOISE,
        centroid_share: float = CENTROID_SHARE,
        always_drawn: bool = False,
    ) -> None:
        super().__init__(layout, encode, audio_step)
        self._utterances_UD = utterances_UD
        own = {v: F.normalize(u_UD.mean(0), dim=0) for v, u_UD in utterances_UD.items()}
        self._vectors = own | dict(centroids or {})
        self._noise, self._centroid_share = noise, centroid_share
        self._always_drawn = always_drawn

    def batch(self, rows: Sequence[Example], corrupt: np.random.Generator | None = None) -> Batch:
        """With `corrupt` the speakers are drawn too; without it they are the centroids, unless always drawn."""
        batch = super().batch(rows, corrupt)
        if batch.speaker_BD is None or (corrupt is None and not self._always_drawn):
            return batch
        rng = corrupt or np.random.default_rng(0)
        speaker_BD = [self._draw(row.voice or "", rng) for row in rows]
        return replace(batch, speaker_BD=torch.stack(speaker_BD))

    def _draw(self, voice: str, rng: np.random.Generator) -> Tensor:
        if rng.random() < self._centroid_share:
            heard_D = self._vectors[voice]
        else:
            # One to three utterances: what a voice is enrolled from.
            own_UD = self._utterances_UD[voice]
            heard_D = own_UD[rng.integers(0, len(own_UD), rng.integers(1, 4)).tolist()].mean(0)
        noise_D = rng.standard_normal(len(heard_D)).astype(np.float32)
        return F.normalize(heard_D + self._noise * torch.from_numpy(noise_D), dim=0)


# --- the run -----------------------------------------------------------------------------------------------------


def run(
    folder: Path, *, minutes: float = 8.0, tokens: int = 2560, threads: int = 2, seed: int = 0
) -> dict[str, object]:
    """Folds, trains on to the end of `minutes` (or from the checkpoint), writes weights and figures."""
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    torch.manual_seed(seed)
    encode = tokenizer()
    encoder = load_speaker_encoder(folder / "speaker")
    assert isinstance(encoder, LogMelEncoder)
    heard = everybody(folder)
    kept, held_out = read_codes(folder / "codes.npz")
    crowd_kept, crowd_held_out = _crowd_lines(folder)
    lines = _some(held_out, HELD_OUT_LINES) + _some(crowd_held_out, HELD_OUT_LINES)

    before = trained(folder)
    layout, audio_step = before.layout, before.config.audio_step
    plain = Examples(layout, encode, audio_step)
    learned = _embeddings(encoder, heard, held_out=False)
    fresh = _embeddings(encoder, heard, held_out=True)
    voices = {voice: torch.from_numpy(c) for voice, c in _shipped(folder).items()}
    at_centroids = Recorded(layout, encode, audio_step, learned | fresh, centroids=voices)
    # With what one to three held-out lines give: a voice as it is enrolled.
    enrolled = Recorded(
        *(layout, encode, audio_step, fresh), noise=0.0, centroid_share=0.0, always_drawn=True
    )

    lm = folded(folder)
    corpus_lines = [line for line in lines if line.voice in voices]
    figures: dict[str, Any] = {
        "noise": NOISE,
        "minutes": minutes,
        "before": _nll(before, plain, corpus_lines),
        "folded": _nll(lm, at_centroids, lines),
        "folded_enrolled": _nll(lm, enrolled, lines),
    }
    print(json.dumps(figures, indent=2), flush=True)
    lost = figures["folded_enrolled"]["voices"] - figures["before"]["voices"]
    if lost > MOST_LOST_NATS:
        raise SystemExit(f"the map costs {lost:.3f} nats; it must not cost over {MOST_LOST_NATS}")

    trainer = Trainer(lm, folder / "lm_adapt.pt")
    trainer.resume()
    fit(
        trainer,
        at_centroids,
        CROWD_TIMES * crowd_kept
        + random.Random(seed).sample(kept, min(len(kept), CORPUS_TIMES * len(crowd_kept))),
        _some(held_out, 8),
        folder / "lm_adapt_log.jsonl",
        minutes,
        tokens,
        evaluate_every=100,
        seed=seed,
        schedule=lambda step, progress: (SHARE_OF_PEAK * rate(step, progress), 0.0),
    )
    # As it is, not the average: that remembers five hundred steps, about as many as there are.
    lm.eval().requires_grad_(False)
    figures |= {
        "adapted": _nll(lm, at_centroids, lines),
        "adapted_enrolled": _nll(lm, enrolled, lines),
        "steps": trainer.step,
        "tokens": trainer.tokens,
    }
    draft = folder / "lm_adapted.part"
    save_file({name: weight.contiguous() for name, weight in lm.state_dict().items()}, draft)
    os.replace(draft, folder / ADAPTED_FILE)
    (folder / "lm_adapted.json").write_text(json.dumps(figures, indent=2) + "\n")
    print(json.dumps(figures, indent=2), flush=True)
    return figures


def _audio_step(folder: Path) -> float:
    return float(torch.load(folder / "lm.pt", weights_only=True)["audio_step"])


def _embeddings(
    encoder: LogMelEncoder, heard: Sequence[Heard], *, held_out: bool
) -> dict[str, Tensor]:
    """Of single utterances, [U, D] a speaker; of the corpus' voices and the scalings."""
    wanted = {t.voice for t in TEACHERS} | {s.name for s in crowd.crowd() if s.is_scaling}
    utterances: dict[str, list[Tensor]] = defaultdict(list)
    for h in heard:
        if h.speaker in wanted and h.is_held_out == held_out:
            utterances[h.speaker].append(torch.from_numpy(h.log_mels_MT))
    return {name: embeddings(encoder, u) for name, u in utterances.items()}


def _some(lines: Sequence[Spoken], count: int) -> list[Spoken]:
    """The first lines of each voice in each accent."""
    counts: dict[tuple[str, str], int] = defaultdict(int)
    kept: list[Spoken] = []
    for line in lines:
        counts[line.voice, line.tag] += 1
        if counts[line.voice, line.tag] <= count:
            kept.append(line)
    return kept


def _nll(lm: Lfm2, examples: Examples, lines: Sequence[Spoken]) -> dict[str, float]:
    """Nats a token of each voice's held-out lines, and of all of them."""
    by_voice: dict[str, list[Spoken]] = defaultdict(list)
    for line in lines:
        by_voice[line.voice].append(line)
    nll = {v: float(np.mean(held_out_nll(lm, examples, own)[0])) for v, own in by_voice.items()}
    taught = [nll[v] for v in nll if v in {t.voice for t in TEACHERS}]
    return {"voices": float(np.mean(taught))} | {v: round(x, 4) for v, x in nll.items()}


# --- a voice from recordings -------------------------------------------------------------------------------------


def enroll(folder: Path, lm: Lfm2, *, threads: int = 1) -> dict[str, object]:
    """Enrols each held-out scaling from three clips, lets it speak lines, and compares who that is. Writes the figures.

    Cosines to the enrolled reference: of the model's lines, of the teacher's own other lines, of those lines' copies
    through the codec; then of the model's lines to every shipped voice.
    """
    torch.set_num_threads(threads)
    encoder = load_speaker_encoder(folder / "speaker")
    codec = SourceFilterCodec.from_folder(folder / "codec")
    encode = tokenizer()
    shipped = _shipped(folder)
    report: dict[str, object] = {}
    for speaker in crowd.crowd():
        if not (speaker.is_scaling and speaker.is_held_out):
            continue
        spoken = crowd.read(folder / "crowd", speaker)
        # Two lines a clip: single ones may have less speech than a clip must have.
        clips = [
            _wav(np.concatenate([spoken[2 * i][1], spoken[2 * i + 1][1]]))
            for i in range(ENROLMENT_CLIPS)
        ]
        reference = enrollment.enroll(clips, encoder).embedding.vector
        _, held_out = _crowd_lines(folder)
        own = [line for line in held_out if line.voice == speaker.name]
        lines = slice(2 * ENROLMENT_CLIPS, 2 * ENROLMENT_CLIPS + SPOKEN_LINES)
        said: list[NDArray[np.float32]] = []
        for line in own[lines]:
            prompt = build_prompt(lm.layout, encode.encode, line.text, line.tag, with_speaker=True)
            limit = 2 * len(line.codes_FK) + 4
            sampling = Sampling(greedy=True, repetition_penalty=1.0, max_frames=limit)
            said.append(
                codec.decode(generate(lm, prompt, torch.from_numpy(reference), sampling)).numpy()
            )
        copies = [
            codec.decode(torch.from_numpy(line.codes_FK.T.astype(np.int64))).numpy()
            for line in own[lines]
        ]
        teacher = [(pcm / 32_768).astype(np.float32) for _, pcm in spoken[lines]]
        output = _who(encoder, said)
        report[speaker.name] = {
            "model": round(float(output @ reference), 3),
            "model_each_line": [round(float(_who(encoder, [x]) @ reference), 3) for x in said],
            "teacher": round(float(_who(encoder, teacher) @ reference), 3),
            "codec_copy": round(float(_who(encoder, copies) @ reference), 3),
            "model_to_shipped": {v: round(float(output @ c), 3) for v, c in shipped.items()},
            "reference_to_shipped": {v: round(float(reference @ c), 3) for v, c in shipped.items()},
            "seconds": [round(len(x) / SAMPLE_RATE_HZ, 2) for x in said],
        }
    (folder / "enrolment.json").write_text(json.dumps(report, indent=2) + "\n")
    print(json.dumps(report, indent=2), flush=True)
    return report


def _who(encoder: SpeakerEncoder, sounds: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """The embedding that sounds at the codec's rate have together."""
    rate_hz = encoder.sample_rate_hz
    heard = [encoder.embed(soxr.resample(x, SAMPLE_RATE_HZ, rate_hz)) for x in sounds]
    return enrollment.unit(np.mean(heard, axis=0))


def _wav(pcm: NDArray[np.int16]) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, pcm, SAMPLE_RATE_HZ, format="WAV")
    return file.getvalue()


# --- the scalings ------------------------------------------------------------------------------------------------


def _crowd_lines(folder: Path) -> tuple[list[Spoken], list[Spoken]]:
    """Lines of the scalings to train on, and of those held out."""
    path = folder / "crowd" / "codes.npz"
    if not path.exists():
        _encode_crowd(folder, path)
    return read_codes(path)


def _encode_crowd(folder: Path, path: Path) -> None:
    codec = SourceFilterCodec.from_folder(folder / "codec", encoder=folder / "codec" / ENCODER_FILE)
    rows: list[tuple[str, str, str, bool, NDArray[np.int16]]] = []
    for speaker in crowd.crowd():
        if not speaker.is_scaling:
            continue
        for said, pcm in crowd.read(folder / "crowd", speaker):
            samples = torch.from_numpy((pcm / 32_768).astype(np.float32))
            codes_KF = codec.encode_batch(samples[None])[0].numpy().astype(np.int16)
            rows.append((speaker.name, said.tag, said.text, speaker.is_held_out, codes_KF))
    voice, tag, text, held_out, codes = zip(*rows, strict=True)
    draft = path.with_name("codes.part.npz")
    np.savez(
        draft,
        voice=np.array(voice),
        tag=np.array(tag),
        text=np.array(text),
        held_out=np.array(held_out),
        lengths=np.array([piece.shape[1] for piece in codes], dtype=np.int32),
        codes=np.concatenate(codes, axis=1),
    )
    os.replace(draft, path)
