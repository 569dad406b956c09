"""`python -m benchmarks.watchdog`: does the watchdog cut lines that are good? Says many with `tiny`, as it is served.

Lines of games that nothing was trained on, spread over all voices, and single words in each of them, greedy, through
the real engine. Counts alarms, and says how near the good lines come to the limit on length: frames over letters, and
frames over the frames that are allowed. Writes benchmarks/results/<date>-watchdog.json.
"""

import argparse
import datetime
import time
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from benchmarks import machine, report
from benchmarks.load import percentiles
from benchmarks.worker import ROOT
from finetune.tiny.lines import lines
from kani_npc.engine.engine import Engine, EngineSettings
from kani_npc.engine.messages import Failed
from kani_npc.engine.model import load_model
from kani_npc.engine.watchdog import Watchdog, WatchdogLimits, letters
from kani_npc.models import resolve_model
from kani_npc.speech import AccentPreset, Finished, FinishReason, Pace, Utterance, Voice
from kani_npc.voices.builtin import load_voices

WORDS = ("Hi!", "No.", "Go.")
SEED = 9000  # of the lines that the model card is judged on


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.watchdog", description=__doc__)
    parser.add_argument("--lines", type=int, default=200)
    parser.add_argument("--results", type=Path, default=ROOT / "benchmarks" / "results")
    arguments = parser.parse_args()
    result: dict[str, Any] = {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "machine": machine.hardware(),
        "watchdog": run(arguments.lines),
    }
    for what, value in result["watchdog"].items():
        print(f"{what}: {value}")
    path = report.write(result, arguments.results, f"{result['date'][:10]}-watchdog")
    print(f"written: {path}")


def run(num_lines: int) -> dict[str, Any]:
    """So many lines, and the single words in every voice."""
    folder = resolve_model("tiny")
    model = load_model(folder, hashed=False)
    shipped = load_voices(
        folder, languages=model.info.languages, speaker_space=model.info.speaker_space
    )
    said = list(zip(islice(lines(SEED, held_out=True), num_lines), cycle(shipped.voices)))
    said += [(word, voice) for voice in shipped.voices for word in WORDS]
    engine = Engine(model, EngineSettings(num_slots=8, max_waiting=len(said)))
    for number, (text, voice) in enumerate(said):
        engine.submit(
            _utterance(str(number), text, voice, engine),
            [text],
            is_open=False,
            submitted_s=time.perf_counter(),
        )
    ends: dict[int, Finished] = {}
    while engine.busy:
        for event in engine.step():
            if isinstance(event.what, Failed):
                raise event.what.error
            if isinstance(event.what, Finished):
                ends[int(event.utterance_id)] = event.what
    good = [n for n, end in ends.items() if end.reason is FinishReason.END_OF_SPEECH]
    frames = {n: ends[n].total_samples // model.info.samples_per_frame for n in good}
    limits, watchdog = WatchdogLimits(), Watchdog()
    return {
        "model": "tiny",
        "lines": num_lines,
        "single_words": len(said) - num_lines,
        "voices": len(shipped.voices),
        "ended_by_themselves": len(good),
        "alarms": [
            {"text": said[n][0], "voice": said[n][1].id}
            for n, end in sorted(ends.items())
            if end.reason is FinishReason.WATCHDOG
        ],
        "limit": f"{limits.base_frames} frames and {limits.frames_per_letter} a letter",
        "frames_a_letter": percentiles([frames[n] / letters(said[n][0]) for n in good], 1.0),
        "of_the_allowed": percentiles(
            [frames[n] / watchdog.longest(said[n][0]) for n in good], 1.0
        ),
        "most_of_the_allowed": round(
            max(frames[n] / watchdog.longest(said[n][0]) for n in good), 3
        ),
    }


def _utterance(id: str, text: str, voice: Voice, engine: Engine) -> Utterance:
    return Utterance(
        id=id,
        text=text,
        voice=voice,
        accent=AccentPreset(voice.tag, voice.tag) if voice.tag else None,
        sampling=engine.model.sampling,
        seed=0,
        pace=Pace.UNPACED,
    )


if __name__ == "__main__":
    main()
