"""Writes the model card of `tiny` from the figures that the stages left behind.

Knows the recipe's files; measures nothing itself.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from finetune.tiny import languages
from finetune.tiny.crowd import crowd
from finetune.tiny.lines import HELD_OUT_ONE_IN, vocabulary
from finetune.tiny.package import DEFAULT_VOICE
from finetune.tiny.teachers import TEACHERS
from kani_npc.lm.config import LmConfig
from kani_npc.text.limits import MAX_SPEECH_S

_KINDS = {
    "game": "Lines of games; the recogniser knows the grammar's words and which follow each other:",
    "plain": "Plain sentences; the recogniser has its own dictionary and model of English:",
}

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

{default_voice} is the default. A voice is an embedding of the small speaker encoder in `speaker/` (space `{space}`),
the mean one of its utterances. The language model was trained on embeddings of one to three utterances of {num_voices}
synthetic speakers, with noise, so that a recording can be enrolled; how well that works is measured below.

## What an independent recogniser hears

Word error rates of pocketsphinx on lines that nothing was trained on, greedy: the teacher's own recording, the codec's
copy of it, and this model reading the text. In brackets what 95 % of bootstrap samples of the lines give. At least
{min_words} words a voice and kind. It is an American recogniser that learned from people, and hears formant voices and
other accents worse, the teachers' columns included: compare columns, not systems.

{tables}

The `tiny` before this one, with the same codec, had 50.7 % on plain sentences over the flite voices and 26.5 % on
lines of games; the last with another codec 65.6 and 33.3 % (300 words a voice; its codec's copies 51.1 and 19.0). The
first had no cedric, and kept two of the three whole teachers nearer to themselves than to a shipped voice, of the
scalings five. The probe of accents heard its ada right on 42, 75, 88 and 92 % (en_us, en_rp, en_scot, en_lanc); on 48
other lines it hears the present one right on 54 % in en_us and 79 % in en_rp, and of the two sounds of a line it finds
the one with en_us more American on 94 %.

Held-out nats a code: {held_out:.2f} with the right text, {wrong_text:.2f} with another line's text.

## How it was trained

- Text: lines of a template grammar of what characters in games say, {num_words} words, and plain sentences, the
  examples of use in WordNet; {held_out_share} of either, by a hash of their text, held out. The same in Spanish, with
  sayings and proverbs for the plain sentences.
- Speech: {hours} h, {utterances} lines, three quarters of them plain, with 40 ms of lead-in and at -20 dBFS: eight
  tenths by the teachers above, the rest by 41 more vocal-tract scalings of the flite voices and by espeak-ng
  variants in four accents and in Spanish. The weights that training was begun with had heard 15 h, 22,620 lines, and
  29 h before.
- Codec: four FSQ groups of 1000 codes at 12.5 frames a second; the codebooks' entropies are {entropy} bits. It was
  trained on the voices above but for cedric, edith and rivet, whom it has not heard: in English, its decoder for longer
  and on the scalings; then both together, with more blocks in the decoder and mel cepstra among the losses, for 31
  minutes on 11 h of the same voices, Spanish included, and on the scalings.
- Speaker encoder: {speakers_learned} synthetic speakers. Equal error rate on {eer_speakers} others: {eer:.1%} for
  single lines, whatever their accent, {eer_three:.1%} for three. Last it was taught, with copies of speakers that it
  had learned, that a copy through a codec is the same speaker: the codec before this one.
- Language model: {minutes:.0f} minutes, a fifth of them waiting for other work, on two cores with AVX-512, in two
  processes of one thread with averaged gradients, {tokens:.1f} million tokens ({epochs:.1f} passes over the corpus,
  half of the crowd and of ada in each), in bfloat16, refining the weights of the `tiny` before this one. Those had
  187 minutes on two cores without AVX-512 (25.1 million tokens, the same codes) and were begun with the weights of
  the one before it (240 minutes, 60.5 million tokens, codes of the codec before), its embeddings of codes averaged
  over those that the encoder before gave the same frames, those of vowels taken over for vowels with stress.

Text is read as phones with stress: CMUdict, most of it in Festival's edition, which flite speaks by, and
letter-to-sound rules for other words (10 % phone errors on words that the rules have not seen; of one in 18 the stress
alone is wrong); Spanish by its spelling. Accents of England have no r but before a vowel. Numbers, money, times, units
and common abbreviations are spelled out first.

## Limits

{limits}
- English, and Spanish under the accent `es_es`, which only ada, cedric and espeak-ng's speakers have spoken: other
  voices take it on without an example. Letters of other scripts are refused.
- Greedy is the default. Without a speaker slot the model speaks as mira.
- Synthetic teachers sound synthetic, and so does their pupil.

## Licences

The weights are Apache-2.0, as the code. Where the training speech and its text came from:

- **CMU Flite** ({flite}): program and voices by Carnegie Mellon University and others under permissive licences of the
  BSD and MIT kind, which ask that their notices are kept (`slt`, `rms` and `awb` are from the CMU ARCTIC recordings,
  `kal16` from the KAL diphones). Names of the authors must not be used to promote what is made from them.
- **espeak-ng** ({espeak}, and {num_variants} more variants): a program under GPL-3.0-or-later. Neither its code nor its
  data is here; speech that it makes is not a work under its licence by the usual reading.
- **fortunes-es** (Debian), whose sayings were read aloud: in the public domain by its notice. No text of it is here.
- **WordNet 3.0** (Debian's `wordnet-base`), whose examples of use were read aloud: Copyright 2006 by Princeton
  University, free to use, copy and change for any purpose with its notice kept. No text of it is here.
- **CMU Pronouncing Dictionary** (in `pronunciations.xz`): see `LICENSE.cmudict`.
"""

_LIMITS = """\
- Words of the training lines are said best; others from their phones, less surely.
- **Say one or two sentences at a time, up to about 90 characters.** Training lines are up to 9 s long, and the few that
  were joined to as much as {max_speech_s} s do not suffice for long texts in one piece.
- The flite voices have heard one accent each, and tags do little to them: see the table of accents."""


def write(folder: Path, model: Path) -> None:
    """`README.md` in the model's folder, from the recipe's logs and evaluation."""
    report = json.loads((folder / "evaluation.json").read_text())
    codes = json.loads((folder / "codes.ready").read_text())
    encoder = json.loads((folder / "speaker" / "encoder.json").read_text())
    last = json.loads((folder / "lm_log.jsonl").read_text().splitlines()[-1])
    config = LmConfig.from_json(model)
    (model / "README.md").write_text(
        _CARD.format(
            parameters=last["parameters"] / 1e6,
            num_layers=config.num_layers,
            hidden_size=config.hidden_size,
            voices=_voices(),
            default_voice=DEFAULT_VOICE.capitalize(),
            space=encoder["space"],
            num_voices=codes["voices"],
            min_words=min(row[kind]["words"] for row in report["voices"] for kind in _KINDS),
            num_words=f"{len(vocabulary()):,}",
            tables=tables(report),
            held_out=last["held_out_mean"],
            wrong_text=last["wrong_text_mean"],
            held_out_share=f"one in {HELD_OUT_ONE_IN}",
            hours=codes["hours"],
            utterances=codes["utterances"],
            entropy=", ".join(f"{bits:.1f}" for bits in codes["entropy_bits"]),
            speakers_learned=encoder["speakers_learned"],
            eer_speakers=encoder["held_out_speakers"]["speakers"],
            eer=encoder["held_out_speakers"]["equal_error_rate"],
            eer_three=encoder["held_out_speakers_three_lines"]["equal_error_rate"],
            minutes=last["minutes"],
            tokens=last["tokens"] / 1e6,
            epochs=last["epochs"],
            limits=_LIMITS.format(max_speech_s=MAX_SPEECH_S),
            flite=_engine_voices("flite"),
            espeak=_engine_voices("espeak"),
            num_variants=sum(not s.is_scaling and not s.is_held_out for s in crowd()),
        )
    )


def tables(report: dict[str, Any]) -> str:
    """The figures of `evaluate` as Markdown."""
    return "\n\n".join(
        (
            _errors_table(report["voices"], "game"),
            _errors_table(report["voices"], "plain"),
            _voices_table(report),
            _accents_table(report["accents"]),
            languages.table(report["spanish"]),
            _enrolled_table(report["enrolled"]),
        )
    )


def _errors_table(voices: Sequence[dict[str, Any]], kind: str) -> str:
    rows = [
        f"{_KINDS[kind]}",
        "",
        "| voice | accent | words | teacher | codec copy | tiny | tiny above teacher |",
        "|---|---|---|---|---|---|---|",
    ]
    for voice in voices:
        of = voice[kind]
        above = " to ".join(f"{100 * x:.0f}" for x in of["tiny_above_teacher_interval"])
        rows.append(
            f"| {voice['voice']} | {voice['tag']} | {of['words']} | {of['teacher']:.1%} | {of['copy']:.1%} "
            f"| {of['tiny']:.1%} ({' to '.join(f'{100 * x:.0f}' for x in of['tiny_interval'])}) "
            f"| {100 * of['tiny_above_teacher']:.1f} ({above}) |"
        )
    for name, some in (
        ("flite voices", [v for v in voices if v["engine"].startswith("flite")]),
        ("all", voices),
    ):
        words = sum(v[kind]["words"] for v in some)
        teacher, copy, tiny = (
            sum(v[kind][column] * v[kind]["words"] for v in some) / words
            for column in ("teacher", "copy", "tiny")
        )
        rows.append(
            f"| **{name}** | | {words} | **{teacher:.1%}** | **{copy:.1%}** | **{tiny:.1%}** "
            f"| **{100 * (tiny - teacher):.1f}** |"
        )
    return "\n".join(rows)


def _voices_table(report: dict[str, Any]) -> str:
    rows = [
        f"Of {report['lines']} lines {report['runaways']} ran on for twice the teacher's time or longer. Who speaks, "
        f"by the speaker encoder, among the {len({v['voice'] for v in report['voices']})} voices; how long beside the "
        "teacher; CPU seconds of one thread for a second of sound:",
        "",
        "| voice | accent | heard as itself: tiny | codec copy | length tiny / teacher | model + codec |",
        "|---|---|---|---|---|---|",
    ]
    rows += [
        f"| {v['voice']} | {v['tag']} | {v['heard_as_itself']:.0%} | {v['copy_heard_as_itself']:.0%} "
        f"| {v['length_ratio']:.2f} ± {v['length_spread']:.2f} | {v['lm_rtf']:.3f} + {v['codec_rtf']:.3f} |"
        for v in report["voices"]
    ]
    return "\n".join(rows)


def _accents_table(accents: dict[str, Any]) -> str:
    rows = [
        f"Accents: a probe that learned them from other espeak-ng speakers is right on "
        f"{accents['unheard_teachers']:.0%} of lines by teachers that it never heard. What it hears of "
        f"{accents['lines']} lines by tiny, the same ones "
        "with only the tag swapped:",
        "",
        "| voice | tag | right on the teacher | on the codec's copy | on tiny |",
        "|---|---|---|---|---|",
    ]
    for row in accents["voices"]:
        teacher, copy = (
            f"{row[column]:.0%}" if column in row else "-" for column in ("teacher", "copy")
        )
        rows.append(f"| {row['voice']} | {row['tag']} | {teacher} | {copy} | {row['tiny']:.0%} |")
    return "\n".join(rows)


def _enrolled_table(enrolled: dict[str, Any]) -> str:
    floor = enrolled["floor"]
    rows = [
        "Enrolled voices: speakers that no stage was trained on, from three clips; cosines to what was enrolled, of "
        "other lines. Different speakers have a cosine of "
        f"{floor['mean']:.2f} in the mean, of {floor['95_percent']:.2f} in one pair of twenty (the impostor floor).",
        "",
        "| enrolled | teacher | codec copy | tiny | tiny to the nearest shipped voice |",
        "|---|---|---|---|---|",
    ]
    rows += [
        f"| {_enrolled_name(row['speaker'])} | {row['teacher']:.2f} | {row['copy']:.2f} | {row['tiny']:.2f} "
        f"| {row['tiny_to_nearest_shipped']:.2f} ({row['nearest_shipped']}) |"
        for row in enrolled["speakers"]
    ]
    return "\n".join(rows)


def _enrolled_name(speaker: str) -> str:
    if speaker.startswith("e-"):
        return f"espeak-ng {speaker[2:]}, a whole teacher"
    voice, _, percent = speaker.partition("x")
    voice, percent = (voice, percent) if percent != speaker else (speaker, "100")
    return f"{voice}, {int(percent) / 100:.2f}"


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
