"""On an engine that is too slow, a listener who has in hand what is recommended hears no gap.

The engine, the model and the codec are real; the clock is not, so that a busy machine cannot spoil it.
"""

import math
from types import SimpleNamespace

import pytest

from kani_npc.engine.engine import Engine, EngineSettings
from kani_npc.engine.scheduler import StepPlan
from kani_npc.speech import Audio, Sampling
from tests.support.random_model import line, random_model

FRAME_S = 0.08
TEXT = "The bridge is out, go by the mill."  # 28 frames, as English goes


class SlowEngine:
    """A frame takes `frame_s` for one row and a third of it for each more; reading takes half of it a portion."""

    def __init__(self, frame_s: float, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 0.0
        clock = SimpleNamespace(perf_counter=lambda: self.now_s)
        monkeypatch.setattr("kani_npc.engine.engine.time", clock)
        settings = EngineSettings(num_slots=8, max_rows=4, max_lead_s=math.inf, watchdog=None)
        self.engine = Engine(random_model(), settings)
        runner = self.engine.runner
        launch, read = runner.launch, runner.read

        def slow_launch(plan: StepPlan):
            self.now_s += frame_s * (1 + (len(plan.speak) - 1) / 3) if plan.speak else 0.0
            return launch(plan)

        def slow_read(slot: int) -> bool:
            self.now_s += frame_s / 2
            return read(slot)

        monkeypatch.setattr(runner, "launch", slow_launch)
        monkeypatch.setattr(runner, "read", slow_read)
        self.engine.warm_up()

    def say(
        self, ids: list[str], frames: int
    ) -> dict[str, tuple[float, list[tuple[float, float]]]]:
        """For each line what is recommended, and when how much of it was there."""
        sampling = Sampling(greedy=True, min_frames=frames, max_frames=frames)
        for id in ids:
            utterance = line(id, TEXT, sampling=sampling)
            self.engine.submit(utterance, [TEXT], is_open=False, submitted_s=self.now_s)
        heard: dict[str, tuple[float, list[tuple[float, float]]]] = {}
        while self.engine.busy:
            for event in self.engine.step():
                if isinstance(event.what, Audio):
                    end_s = event.what.chunk.end_sample / 22050
                    said = heard.setdefault(event.utterance_id, (event.what.prebuffer_s, []))
                    said[1].append((self.now_s, end_s))
        return heard


def longest_gap_s(prebuffer_s: float, arrivals: list[tuple[float, float]]) -> float:
    """Of a listener who starts once so much is in hand, or 100 ms after the first sound."""
    total_s = arrivals[-1][1]
    ready_s = next(at for at, there in arrivals if there >= min(prebuffer_s, total_s))
    starts_s = ready_s if prebuffer_s else ready_s + 0.1
    gap_s, had_s = 0.0, 0.0
    for at, there in arrivals:
        gap_s = max(gap_s, at - starts_s - had_s)
        had_s = there
    return gap_s


@pytest.mark.parametrize("slowness", [0.5, 0.9, 1.3])
@pytest.mark.parametrize("streams", [1, 3])
def test_a_listener_who_has_in_hand_what_is_recommended_hears_no_gap(
    slowness: float, streams: int, monkeypatch: pytest.MonkeyPatch
):
    slow = SlowEngine(slowness * FRAME_S / (1 + (streams - 1) / 3), monkeypatch)
    heard = slow.say([f"u{i}" for i in range(streams)], 24)
    for id, (prebuffer_s, arrivals) in heard.items():
        assert longest_gap_s(prebuffer_s, arrivals) <= 1e-6, id
        assert prebuffer_s <= 1.25 * arrivals[-1][1]
        if slowness >= 1.3:
            assert longest_gap_s(0.0, arrivals) > 0.1, "without it there is one"
        if slowness <= 0.5 and streams == 1:
            assert prebuffer_s == 0
