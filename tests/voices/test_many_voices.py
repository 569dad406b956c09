"""What a store of many voices costs. `python -m benchmarks.voices` has the figures of 100,000."""

import pytest

from benchmarks.voices import measure


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("num_voices", [300, pytest.param(100_000, marks=pytest.mark.slow)])
async def test_many_voices_are_found_and_listed_in_milliseconds(
    store_url: str, num_voices: int
) -> None:
    """That every voice is found as it was written is checked there. Bounds that a busy machine keeps."""
    found = await measure(store_url, num_voices)
    print(found)
    assert found["get_ms"]["p50"] < 200 and found["page_ms"]["p50"] < 2000
    assert found["bytes_a_voice"] < 50_000
