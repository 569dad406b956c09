"""A line that is ended from outside, wherever it waits."""

import asyncio

import pytest

from kani_npc.server.leash import Leash


class Stopped(Exception):
    pass


async def test_what_is_waited_for_comes_back():
    assert await Leash().wait(asyncio.sleep(0, "sound")) == "sound"


async def test_who_waits_hears_why_and_what_is_waited_for_is_cancelled():
    leash, never = Leash(), asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(leash.stop, Stopped())
    with pytest.raises(Stopped):
        await leash.wait(never)
    assert never.cancelled()


async def test_who_comes_later_hears_it_too():
    leash = Leash()
    leash.stop(Stopped())
    for _ in range(2):
        with pytest.raises(Stopped):
            await leash.wait(asyncio.sleep(5))


async def test_what_comes_at_the_very_moment_of_the_stop_comes_too_late():
    leash, loop = Leash(), asyncio.get_running_loop()
    sound = loop.create_future()
    loop.call_soon(lambda: (sound.set_result("sound"), leash.stop(Stopped())))
    with pytest.raises(Stopped):
        await leash.wait(sound)


async def test_a_timeout_of_what_is_waited_for_is_not_taken_for_a_stop():
    async def late() -> None:
        raise TimeoutError("its own")

    with pytest.raises(TimeoutError, match="its own"):
        await Leash().wait(late())


async def test_a_cancellation_from_elsewhere_stays_one():
    task = asyncio.create_task(Leash().wait(asyncio.sleep(5)))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
