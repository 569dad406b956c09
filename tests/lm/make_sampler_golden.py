"""Writes tests/golden/sampler.json: what the sampler must choose, by a second implementation.

Slow and plain on purpose: Python integers and floats, one row at a time, no torch and nothing of the package. Run it
from the repository root only when the sampler's version changes:

    python tests/lm/make_sampler_golden.py
"""

import json
import math
from pathlib import Path

import numpy as np

CODES, CODEBOOKS, FRAMES = 24, 4, 6
SAMPLINGS = [
    {"temperature": 1.0, "top_k": 50, "top_p": 0.95, "repetition_penalty": 1.1},
    {"temperature": 0.3, "top_k": 50, "top_p": 1.0, "repetition_penalty": 1.0},
    {"temperature": 2.5, "top_k": 7, "top_p": 0.5, "repetition_penalty": 1.7},
    {"temperature": 5.0, "top_k": 1000, "top_p": 1.0, "repetition_penalty": 0.8},
    {"temperature": 1.0, "top_k": 1, "top_p": 0.95, "repetition_penalty": 1.3},
    {"temperature": 1.0, "top_k": 50, "top_p": 0.95, "repetition_penalty": 1.1, "greedy": True},
    {"temperature": 1.0, "top_k": 3, "top_p": 1.0, "repetition_penalty": 1.0, "min_frames": 4},
]
DRAWS = [
    (0, 0, 0),
    (1, 0, 0),
    (2**63 - 1, 2, 1),
    (0x1234567890ABCDEF, 0, 7),
]  # seed, piece, attempt


def philox(counter, key):
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(10):
        a, b = c0 * 0xD2511F53, c2 * 0xCD9E8D57
        c0, c1, c2, c3 = (b >> 32) ^ c1 ^ k0, b % 2**32, (a >> 32) ^ c3 ^ k1, a % 2**32
        k0, k1 = (k0 + 0x9E3779B9) % 2**32, (k1 + 0xBB67AE85) % 2**32
    return c0, c1, c2, c3


def draw(logits, seen, frame, k, seed, piece, attempt, sampling):
    scores = []
    for i, logit in enumerate(logits):
        logit, penalty = np.float32(logit), np.float32(sampling["repetition_penalty"])
        if i in seen:
            logit = logit * penalty if logit < 0 else logit / penalty
        if k == 0 and i == CODES and frame < sampling.get("min_frames", 1):
            continue
        scores.append((float(logit), i))
    scores.sort(key=lambda pair: (-pair[0], pair[1]))
    if sampling.get("greedy"):
        return scores[0][1]
    scores = scores[: sampling["top_k"]]
    weights = [math.exp((score - scores[0][0]) / sampling["temperature"]) for score, _ in scores]
    total, before, kept = sum(weights), 0.0, []
    for weight, (_, i) in zip(weights, scores, strict=True):
        if before < sampling["top_p"] * total:
            kept.append((weight, i))
        before += weight
    word = philox((piece, attempt, frame, k), (seed % 2**32, seed // 2**32))[0]
    target = (word >> 8) / 2**24 * sum(weight for weight, _ in kept)
    running = 0.0
    for weight, i in kept:
        running += weight
        if running > target:
            return i
    raise AssertionError("a uniform is below 1")


def main():
    cases = []
    for number, sampling in enumerate(SAMPLINGS):
        seed, piece, attempt = DRAWS[number % len(DRAWS)]
        rng = np.random.default_rng(number)
        # Eighths, so that logits are exact and many are equal.
        logits = rng.integers(-24, 25, size=(FRAMES, CODEBOOKS, CODES + 1))
        seen = [set() for _ in range(CODEBOOKS)]
        chosen = []
        for frame in range(FRAMES):
            for k in range(CODEBOOKS):
                row = [int(eighth) / 8 for eighth in logits[frame, k][: CODES + (k == 0)]]
                code = draw(row, seen[k], frame, k, seed, piece, attempt, sampling)
                seen[k].add(code)
                chosen.append(code)
        cases.append(
            {
                "sampling": sampling,
                "seed": seed,
                "piece": piece,
                "attempt": attempt,
                "logits_in_eighths": logits.tolist(),
                "codes": np.reshape(chosen, (FRAMES, CODEBOOKS)).tolist(),
            }
        )
    golden = {"sampler_version": "philox4x32-10/1", "codebook_size": CODES, "cases": cases}
    path = Path(__file__).parents[1] / "golden" / "sampler.json"
    path.write_text(json.dumps(golden, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
