"""`python -m benchmarks.drift`: how far packed weights are from float32, with the kernels that serve.

Lines are said with float32; then each kind of weights is fed the same codes and asked for the next. Of `tiny`, and of
a full-size model with random weights, whose logits are flat: there, how often the best code agrees says less than the
error beside the logits' own spread. Prints a table.
"""

import argparse
from collections.abc import Iterator

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from benchmarks.worker import FULL
from kani_npc.engine.model import load_model
from kani_npc.lm.config import LmConfig
from kani_npc.lm.generate import generate
from kani_npc.lm.model import Lfm2
from kani_npc.lm.packed import keep_logits_exact, pack
from kani_npc.models import resolve_model
from kani_npc.prompt import Prompt, build_prompt
from kani_npc.speech import Sampling
from kani_npc.voices.builtin import load_voices

KINDS = ("float32", "bfloat16", "int8", "int4")
LINES = (
    "Halt! Who goes there?",
    "The old bridge is closed until seven silver coins are found.",
    "I have not seen a dragon here since my grandmother was young.",
    "Take the lantern, follow the river, and do not look back.",
)
FULL_FRAMES = 25

Line = tuple[Prompt, Tensor | None, Tensor]  # prompt, speaker, codes [K, F]


@torch.inference_mode()
def logits(lm: Lfm2, line: Line) -> list[Tensor]:
    """What the model would say next at each code of the line: for each codebook [F, C]."""
    prompt, speaker, codes_KF = line
    layout, (num_codebooks, frames) = lm.layout, codes_KF.shape
    state = lm.init_state(1, prompt.num_inputs + codes_KF.numel())
    lm.prefill(prompt, speaker, state, 0)
    told: list[list[Tensor]] = [[] for _ in range(num_codebooks)]
    token = torch.tensor([layout.start_of_speech])
    for frame in range(frames):
        for k in range(num_codebooks):
            position = prompt.position(frame, k, lm.config.audio_step)
            hidden = lm.step(token, torch.tensor([position]), state, [0])
            told[k].append(lm.codebook_logits(hidden, k)[:, : layout.codebook_size].float())
            token = codes_KF[k, frame, None] + layout.codebook_start(k)
    return [torch.cat(rows) for rows in told]


def tiny() -> Iterator[tuple[str, Lfm2, list[Line]]]:
    """The shipped model in every kind, and lines as its float32 says them."""
    folder, lines = resolve_model("tiny"), []
    for kind in KINDS:
        model = load_model(folder, weights=kind)
        if not lines:
            voices = load_voices(
                folder,
                languages=model.info.languages,
                speaker_space=model.info.speaker_space,
            ).voices
            for number, text in enumerate(LINES):
                embedding = voices[number].embedding
                speaker = None if embedding is None else torch.tensor(embedding.vector)
                prompt = build_prompt(
                    model.lm.layout,
                    model.tokenizer.encode,
                    text,
                    model.info.languages[0],
                    with_speaker=speaker is not None,
                )
                codes = generate(model.lm, prompt, speaker, model.sampling, seed=number)
                lines.append((prompt, speaker, codes))
        yield kind, model.lm, lines


def full_size() -> Iterator[tuple[str, Lfm2, list[Line]]]:
    """The same random weights in every kind."""
    config, lines = LmConfig.from_json(FULL), []
    for kind in KINDS:
        torch.manual_seed(0)
        lm = Lfm2(config).eval().requires_grad_(False)
        if not lines:
            text = torch.randint(3, config.layout.base, (35,)).tolist()
            prompt = build_prompt(config.layout, lambda _, ids=text: ids, "", with_speaker=True)
            speaker = torch.nn.functional.normalize(torch.randn(config.speaker_dim), dim=-1)
            sampling = Sampling(min_frames=FULL_FRAMES, max_frames=FULL_FRAMES)
            lines.append((prompt, speaker, generate(lm, prompt, speaker, sampling)))
        if kind in ("int8", "int4"):
            pack(lm, kind)
        elif kind == "bfloat16":
            keep_logits_exact(lm.bfloat16())
        yield kind, lm, lines


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.drift", description="Measure.")
    parser.add_argument("--full", action="store_true", help="the full size too: 4 GB, a minute")
    arguments = parser.parse_args()
    table = Table(
        "model", "weights", "codes", "best code agrees", "error / spread", "rms error", "KL"
    )
    for name, kinds in (("tiny", tiny), ("full size, random", full_size)):
        if name != "tiny" and not arguments.full:
            continue
        exact: list[Tensor] = []
        for kind, lm, lines in kinds():
            rows = [step for line in lines for step in logits(lm, line)]
            exact = exact or rows
            pairs = list(zip(rows, exact, strict=True))
            agree = torch.cat([got.argmax(-1) == right.argmax(-1) for got, right in pairs])
            error = torch.cat([(got - right).flatten() for got, right in pairs])
            spread = torch.cat([(right - right.mean(-1, True)).flatten() for right in exact])
            kl = torch.cat(
                [
                    (right.softmax(-1) * (right.log_softmax(-1) - got.log_softmax(-1))).sum(-1)
                    for got, right in pairs
                ]
            )
            rms = error.square().mean().sqrt()
            table.add_row(
                *(name, kind, str(len(agree)), f"{100 * agree.float().mean():.1f} %"),
                *(f"{rms / spread.square().mean().sqrt():.4f}", f"{rms:.4f}", f"{kl.mean():.1e}"),
            )
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
