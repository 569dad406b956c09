"""One voice out of several: their mean on the unit sphere. Knows no store."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kani_npc.errors import InvalidRecord, SpaceMismatch
from kani_npc.speech import SpeakerEmbedding
from kani_npc.voices.records import Parent, VoiceRecord

MAX_VOICES = 16
_STEPS = 100  # a handful is enough for voices on one side of the sphere
_CLOSE = 1e-10
_AND = " AND "


@dataclass(frozen=True, slots=True)
class Blended:
    embedding: SpeakerEmbedding
    parents: tuple[Parent, ...]  # weights sum to 1
    tag: str | None  # of the weightiest
    licence: str  # all of them, as SPDX joins licences that hold together


def blend(shares: Sequence[tuple[VoiceRecord, float]]) -> Blended:
    """Two to sixteen voices with weights, of which only the ratios count.

    The result is the point whose weighted squared distances along the sphere are least (the Karcher mean): between two
    voices, the point at the weights' ratio on the arc from one to the other. A voice that was itself blended stands
    among the parents as its own parents, so that whose consent a voice takes is always to be seen in one step.

    Raises `InvalidRecord` and `SpaceMismatch`.
    """
    if not 2 <= len(shares) <= MAX_VOICES:
        raise InvalidRecord(f"a blend takes 2 to {MAX_VOICES} voices", field="shares")
    if any(not math.isfinite(w) or w < 0 for _, w in shares) or not sum(w for _, w in shares) > 0:
        raise InvalidRecord(
            "weights must be finite, not negative and not all 0", field="shares.weight"
        )
    shares = [(voice, weight) for voice, weight in shares if weight > 0]
    spaces, vectors = [], []
    for voice, _ in shares:
        if voice.embedding is None:
            raise InvalidRecord(
                f"voice {voice.id!r} has no embedding; it cannot be blended", field="shares.voice"
            )
        spaces.append(voice.embedding.space)
        vectors.append(voice.embedding.vector)
    if len(set(spaces)) > 1 or len({len(v) for v in vectors}) > 1:
        raise SpaceMismatch(
            f"voices of different encoders cannot be blended: {', '.join(sorted(set(spaces)))}; "
            "enrol them again with one"
        )
    weights = np.array([w for _, w in shares], dtype=np.float64)
    weights /= weights.sum()
    mean = _karcher_mean(np.array(vectors, dtype=np.float64), weights)
    weightiest = shares[int(np.argmax(weights))][0]
    return Blended(
        SpeakerEmbedding(vector=mean.astype(np.float32), space=spaces[0]),
        _parents([(voice, float(w)) for (voice, _), w in zip(shares, weights, strict=True)]),
        weightiest.tag,
        join_licences(*(voice.licence for voice, _ in shares)),
    )


def join_licences(*licences: str) -> str:
    """Those that hold together, each once and in order: "CC-BY-4.0 AND Apache-2.0". Alternatives stand in brackets."""
    return _AND.join(dict.fromkeys(one for licence in licences for one in _terms(licence.strip())))


def _terms(licence: str) -> list[str]:
    """What a licence expression joins by AND, outside of brackets."""
    terms, start, depth = [], 0, 0
    for at, sign in enumerate(licence):
        depth += (sign == "(") - (sign == ")")
        if depth == 0 and licence.startswith(" OR ", at):
            return [f"({licence})"]  # AND would bind more tightly
        if depth == 0 and licence.startswith(_AND, at):
            terms.append(licence[start:at].strip())
            start = at + len(_AND)
    return [term for term in (*terms, licence[start:].strip()) if term]


def _karcher_mean(points_ND: NDArray[np.float64], weights_N: NDArray[np.float64]) -> NDArray:
    """[D], unit length. Points are normalised first. N voices, D values."""
    points_ND = points_ND / np.linalg.norm(points_ND, axis=1, keepdims=True)
    mean_D = weights_N @ points_ND
    length = float(np.linalg.norm(mean_D))
    if length < 1e-3:
        raise InvalidRecord(
            "these voices are opposites: there is nothing between them; change the weights",
            field="shares.weight",
        )
    mean_D /= length
    for _ in range(_STEPS):
        cosines_N = np.clip(points_ND @ mean_D, -1.0, 1.0)
        across_ND = (
            points_ND - cosines_N[:, None] * mean_D
        )  # what of each point is not along the mean
        sines_N = np.linalg.norm(across_ND, axis=1)
        angles_N = np.arctan2(sines_N, cosines_N)
        scale_N = np.where(sines_N > 1e-12, angles_N / np.maximum(sines_N, 1e-12), 1.0)
        step_D = (weights_N * scale_N) @ across_ND
        angle = float(np.linalg.norm(step_D))
        if angle < _CLOSE:
            break
        mean_D = math.cos(angle) * mean_D + math.sin(angle) / angle * step_D
        mean_D /= np.linalg.norm(mean_D)
    return mean_D


def _parents(shares: Sequence[tuple[VoiceRecord, float]]) -> tuple[Parent, ...]:
    weights: dict[str, float] = {}
    for voice, weight in shares:
        for parent in voice.parents or (Parent(voice.ref, 1.0),):
            weights[parent.voice] = weights.get(parent.voice, 0.0) + weight * parent.weight
    return tuple(Parent(voice, round(weight, 6)) for voice, weight in weights.items())
