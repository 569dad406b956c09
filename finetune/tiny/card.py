"""Writes the model card of `tiny` from the figures that the stages left behind.

Knows the recipe's files; measures nothing itself.
"""

import json
from pathlib import Path
from typing import Any

from finetune.tiny.lines import HELD_OUT_ONE_IN, vocabulary
from finetune.tiny.package import DEFAULT_VOICE
from finetune.tiny.teachers import TEACHERS
from kani_npc.lm.config import LmConfig
from kani_npc.text.limits import MAX_SPEECH_S

_CARD = """\
# tiny: the voice that kani-npc ships

A small English text-to-speech model for machines without a GPU and without a network: a language model of
{parameters:.1f} million parameters ({num_layers} LFM2 layers, {hidden_size} wide) writes four codec codes per 80 ms, a
source-filter codec turns them into 22.05 kHz sound. It was trained from nothing by `python -m finetune.tiny`, on two
CPU cores, on speech of synthetic teachers only. No person's recording was used by this project, and nothing was
distilled from a large model.

It is a working default and a test voice, not a product voice: it lets the whole service run, speak and be
measured anywhere. For speech that players should enjoy, point the service at the published KaniTTS2 weights.

## Voices

{voices}

{default_voice} is the default.

A voice is an embedding of the small speaker encoder in `speaker/` (space `tiny-1`). The model learned its nine voices
as fixed vectors; a linear map from the encoder's space to those is folded into its speaker projection, which leaves
the nine as they were (twenty lines of five voices: the same codes). So a recording can be enrolled, but **this is no
cloning**: an unseen speaker lands somewhere among the nine. Held-out nats of vocal-tract scalings that were never
trained: 2.37 (slt), 2.92 (rms), 3.07 (kal16), 3.36 (awb). The encoder's equal-error rate on 17 synthetic speakers that
it never heard is 5 % within one accent, 7 % for three lines averaged, and 19 % for single lines across accents.

`ada` is the same synthetic speaker in three accents; the other voices have heard one accent each, and asking them for
another is untested.

## What an independent recogniser hears

Word error rates of pocketsphinx on lines that were never trained on ({lines_each} a voice), greedy: the teacher's own
recording, the codec's copy of it, and this model reading the text. The recogniser knows the recipe's {num_words} words
and a bigram of its lines, so it flatters all three columns; compare columns, not systems. It is an American
recogniser and hears formant voices and other accents worse, the teachers' columns included.

{table}
Held-out nats a code: {held_out:.2f} with the right text, {wrong_text:.2f} with another line's text.

## How it was trained

- Text: lines of a template grammar of what characters in games say, {num_words} words; {held_out_share} of the lines,
  by a hash of their text, held out.
- Speech: {hours} h, {utterances} lines, by the teachers above, with 40 ms of lead-in and at -20 dBFS.
- Codec: four FSQ groups of 1000 codes at 12.5 frames a second; the codebooks' entropies are {entropy} bits.
- Language model: {minutes:.0f} minutes of two threads on a shared machine, {tokens:.1f} million tokens ({epochs:.1f}
  passes over the corpus), products in bfloat16.

Text is read as phones: CMUdict, and letter-to-sound rules for other words (10 % phone errors on words that the rules
have not seen). Numbers, money, times, units and common abbreviations are spelled out first.

## Limits

- The vocabulary of the training lines is small. Other words are spoken from their phones, less surely.
- **Say one or two sentences at a time, up to about 90 characters.** Training lines are up to 6.5 s long, and the few
  that were joined to as much as {max_speech_s} s did not suffice: texts of 136, 298 and 587 characters, as one request,
  ended in time but were not understood (word error rates of 0.9 to 1.1).
- English only; letters of other scripts are refused.
- Greedy is the default. Without a tag a voice of en_us is as good as with it (15 lines of rowan); without a speaker
  slot the model speaks as mira, a little worse.
- Synthetic teachers sound synthetic, and so does their pupil.

## Licences

The weights are Apache-2.0, as the code. Where the training speech came from:

- **CMU Flite** ({flite}): program and voices by Carnegie Mellon University and others under permissive licences of the
  BSD and MIT kind, which ask that their notices are kept (`slt`, `rms` and `awb` are from the CMU ARCTIC recordings,
  `kal16` from the KAL diphones). Names of the authors must not be used to promote what is made from them.
- **espeak-ng** ({espeak}): a program under GPL-3.0-or-later. Neither its code nor its data is here; speech that it
  makes is not a work under its licence by the usual reading.
- **CMU Pronouncing Dictionary** (in `pronunciations.xz`): see `LICENSE.cmudict`.
"""


def write(folder: Path, model: Path) -> None:
    """`README.md` in the model's folder, from the recipe's logs and evaluation."""
    evaluation = json.loads((folder / "evaluation.json").read_text())
    codes = json.loads((folder / "codes.ready").read_text())
    last = json.loads((folder / "lm_log.jsonl").read_text().splitlines()[-1])
    config = LmConfig.from_json(model)
    (model / "README.md").write_text(
        _CARD.format(
            parameters=last["parameters"] / 1e6,
            num_layers=config.num_layers,
            hidden_size=config.hidden_size,
            voices=_voices(),
            default_voice=DEFAULT_VOICE.capitalize(),
            lines_each=evaluation["lines_each"],
            num_words=len(vocabulary()),
            table=(folder / "evaluation.md").read_text(),
            held_out=last["held_out_mean"],
            wrong_text=last["wrong_text_mean"],
            held_out_share=f"one in {HELD_OUT_ONE_IN}",
            hours=codes["hours"],
            utterances=codes["utterances"],
            entropy=", ".join(f"{bits:.1f}" for bits in codes["entropy_bits"]),
            minutes=last["minutes"],
            tokens=last["tokens"] / 1e6,
            epochs=last["epochs"],
            max_speech_s=MAX_SPEECH_S,
            flite=_engine_voices("flite"),
            espeak=_engine_voices("espeak"),
        )
    )


def _voices() -> str:
    rows: dict[str, dict[str, Any]] = {}
    for teacher in TEACHERS:
        row = rows.setdefault(teacher.voice, {"teacher": teacher, "tags": []})
        row["tags"].append(teacher.tag)
    table = ["| voice | accents | teacher |", "|---|---|---|"]
    for voice, row in rows.items():
        teacher = row["teacher"]
        moved = "" if teacher.stretch == 1 else f", vocal tract scaled by {teacher.stretch}"
        said = f"{teacher.engine} {teacher.engine_voice}{moved}"
        table.append(f"| {voice} | {', '.join(row['tags'])} | {said} |")
    return "\n".join(table)


def _engine_voices(engine: str) -> str:
    return ", ".join(sorted({f"`{t.engine_voice}`" for t in TEACHERS if t.engine == engine}))
