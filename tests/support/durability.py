"""What must be in a store after somebody was killed, judged by what was acknowledged before."""

from collections.abc import Callable, Mapping

from kani_npc.speech import SpeakerEmbedding
from kani_npc.voices.open import open_store
from kani_npc.voices.records import VoiceRecord
from kani_npc.voices.store import Records


async def check_nothing_is_lost(
    url: str,
    acknowledged: Mapping[str, Mapping[int, int]],
    sound: Callable[[int], SpeakerEmbedding],
    num_unanswered: int,
) -> None:
    """`acknowledged`: voice -> revision -> the number that its sound and its label `n` were made of. So many calls may
    have been done without their answer having arrived."""
    store = await open_store(url)
    records = Records(store)
    try:
        num_written = 0
        for id, revisions in acknowledged.items():
            head = await records.get(VoiceRecord, "default", id)
            for number in range(1, head.revision + 1):
                voice = await records.revision(VoiceRecord, "default", id, number)
                seed = int(voice.labels["n"])
                assert voice.embedding == sound(seed), "half of two writes"
                assert revisions.get(number, seed) == seed, "an acknowledged write was replaced"
                num_written += 1
            assert max(revisions) <= head.revision, "an acknowledged write was lost"
            newest = await records.revision(VoiceRecord, "default", id, head.revision)
            assert newest == head, "record and revision moved apart"
        listed = {v.id async for v in records.all(VoiceRecord, "default")}
        assert listed >= set(acknowledged), "record and index moved apart"
        assert num_written - sum(map(len, acknowledged.values())) <= num_unanswered
    finally:
        await store.close()
