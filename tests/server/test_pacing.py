"""The listener is never owed sound and never buried in it."""

import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kani_npc.server.pacing import BURST_S, MAX_LEAD_S, Pacer, unpaced
from kani_npc.v1 import speech_service_pb2 as pb
from tests.support.serving import said, serving
from tests.support.sine import SineSynthesizer

FRAME_S = 0.08
# Pieces of sound and how long each took to come, after the one before was sent.
pieces = st.lists(
    st.tuples(st.floats(0.001, 0.6), st.one_of(st.just(0.0), st.floats(0.0, 3.0))),
    min_size=1,
    max_size=80,
)


def play(pieces: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Sends as told; (time of sending, sound in hand just after) for each piece. Starts at an odd time."""
    pacer, now_s, sent = Pacer(), 1000.0, []
    for duration_s, came_after_s in pieces:
        now_s += came_after_s
        now_s += pacer.wait_s(duration_s, now_s)
        pacer.sent(duration_s, now_s)
        sent.append((now_s, pacer.in_hand_s(now_s)))
    return sent


@given(pieces)
def test_the_lead_never_exceeds_the_burst_plus_the_time_played_nor_two_seconds(pieces):
    sent = play(pieces)
    for (now_s, in_hand_s), (duration_s, _) in zip(sent, pieces, strict=True):
        allowed_s = min(BURST_S + now_s - sent[0][0], MAX_LEAD_S)
        assert (
            in_hand_s <= max(allowed_s, duration_s) + 1e-9
        )  # a dry listener gets the next piece whatever its size


@given(pieces)
def test_a_piece_waits_no_longer_than_the_sound_in_hand_lasts(pieces):
    pacer, now_s = Pacer(), 1000.0
    for duration_s, came_after_s in pieces:
        now_s += came_after_s
        wait_s = pacer.wait_s(duration_s, now_s)
        assert 0 <= wait_s <= pacer.in_hand_s(now_s)
        # Waiting so long is enough: it asks for no second wait.
        assert pacer.wait_s(duration_s, now_s + wait_s) == pytest.approx(0, abs=1e-9)
        now_s += wait_s
        pacer.sent(duration_s, now_s)


@given(st.integers(1, 300))
def test_pieces_that_are_there_at_once_go_at_twice_real_time_until_two_seconds_are_in_hand(n):
    sent = play([(FRAME_S, 0.0)] * n)
    elapsed_s = sent[-1][0] - sent[0][0]
    sound_s = n * FRAME_S
    expected = max(0.0, (sound_s - BURST_S) / 2, sound_s - MAX_LEAD_S)
    assert elapsed_s == pytest.approx(expected, abs=1e-6)


def test_the_first_piece_goes_at_once_and_starts_the_clock():
    pacer = Pacer()
    assert pacer.wait_s(10.0, now_s=5.0) == 0
    pacer.sent(1.0, now_s=7.0)
    assert pacer.in_hand_s(7.0) == 1.0
    assert pacer.in_hand_s(7.4) == pytest.approx(0.6)


def test_a_listener_who_ran_dry_is_not_owed_the_time_it_missed():
    pacer = Pacer()
    pacer.sent(FRAME_S, now_s=0.0)
    now_s = 60.0  # a minute of silence, then everything at once
    in_hand_s = []
    for _ in range(100):
        now_s += pacer.wait_s(FRAME_S, now_s)
        pacer.sent(FRAME_S, now_s)
        in_hand_s.append(pacer.in_hand_s(now_s))
    assert max(in_hand_s) <= MAX_LEAD_S + 1e-9


@given(pieces)
def test_unpaced_waits_for_nobody(pieces):
    pacer, now_s = unpaced(), 0.0
    for duration_s, came_after_s in pieces:
        now_s += came_after_s
        assert pacer.wait_s(duration_s, now_s) == 0
        pacer.sent(duration_s, now_s)
    assert math.isfinite(pacer.in_hand_s(now_s))


async def test_the_header_recommends_what_the_engine_does(tmp_path):
    synthesizer = SineSynthesizer()
    synthesizer.prebuffer_s = 1.2345
    async with serving(f"sqlite:{tmp_path}/store.db", synthesizer=synthesizer) as client:
        speech = await said(client, pace=pb.PACE_REALTIME)
    assert speech.header.recommended_prebuffer_ms == 1234


async def test_a_server_sends_no_further_ahead_than_its_setting(tmp_path):
    """All sound is there at once; after the burst it comes at twice real time, up to the lead, then at real time."""
    async with serving(f"sqlite:{tmp_path}/store.db", max_lead_s=0.6) as client:
        started_s, sent_s = None, 0.0
        async for audio in client.synthesize("x" * 20):
            now_s = time.perf_counter()
            started_s = now_s if started_s is None else started_s
            sent_s += len(audio.data) / 2 / 22050
            assert sent_s - (now_s - started_s) <= 0.6 + 0.08 + 0.05
    assert sent_s == pytest.approx(1.6)
