"""Fresh machine to speech: a server of its own, three voices' lines through real gRPC, WAV files and a picture.

`make demo` runs it. Knows the client and the `serve` command, nothing behind them.
"""

import argparse
import asyncio
import sys
import time
import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from kani_npc.client import Client, ServiceError
from kani_npc.v1 import speech_service_pb2 as pb
from kani_npc.v1 import voice_service_pb2 as voice_pb
from tools.local_server import ServerFailed, local_server

LINES = (
    "Halt! Who goes there?",
    "Welcome back, my friend. The bridge is closed until the morning.",
    "I will give you seven silver coins for the old sword.",
)


@dataclass(frozen=True, slots=True)
class Spoken:
    """One line that was said."""

    voice: str
    text: str
    first_audio_ms: float  # by the client's clock, from the call to the first piece of sound
    duration_s: float
    real_time_factor: float  # the engine's own time over the sound's
    file: Path


async def say(client: Client, voice: str, text: str, file: Path) -> Spoken:
    """One line into a WAV file."""
    began_s = time.perf_counter()
    # As a player hears it: first audio is that of a listener, not of a file.
    speech = client.synthesize(text, voice=voice, pace=pb.PACE_REALTIME)
    first_audio_ms, pieces = 0.0, []
    async for audio in speech:
        first_audio_ms = first_audio_ms or (time.perf_counter() - began_s) * 1e3
        pieces.append(audio.data)
    assert speech.header and speech.end, "the client checks that a line is whole"
    with wave.open(str(file), "wb") as wav:
        wav.setnchannels(1)
        wav.setsampwidth(2)
        wav.setframerate(speech.header.sample_rate_hz)
        wav.writeframes(b"".join(pieces))
    duration_s = speech.end.total_samples / speech.header.sample_rate_hz
    factor = speech.end.compute_ms / 1e3 / duration_s if duration_s else float("nan")
    return Spoken(voice, text, first_audio_ms, duration_s, factor, file)


async def speak(address: str, out: Path) -> list[Spoken]:
    """The lines, one after the other, each by another voice; the last by one that is made here, as a designer would."""
    async with Client(address, timeout_s=120) as client:
        info = await client.server_info()
        accents = {voice.id: voice.accent for voice in info.voices}
        own = accents.pop(info.default_voice)
        # The default voice, one with another accent than it if there is, and one between the two.
        voices = [info.default_voice, *sorted(accents, key=lambda voice: accents[voice] == own)][:2]
        if len(voices) == 2 and info.model.speaker_space:
            voices.append(await make_voice(client, voices))
        return [
            await say(client, voice, text, out / f"{i + 1}-{voice}.wav")
            for i, text in enumerate(LINES)
            for voice in [voices[i % len(voices)]]
        ]


async def make_voice(client: Client, parents: list[str]) -> str:
    """A voice between two others."""
    shares = [voice_pb.BlendShare(voice=parent, weight=1.0) for parent in parents]
    voice = voice_pb.Voice(id="blend", display_name=" and ".join(parents))
    request = voice_pb.BlendVoicesRequest(voice=voice, shares=shares)
    return (await client.voices.BlendVoices(request)).voice.id


def draw_spectrogram(file: Path, picture: Path) -> None:
    """A WAV file's spectrogram, up to its Nyquist rate, 80 dB deep."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    with wave.open(str(file), "rb") as wav:
        rate_hz = wav.getframerate()
        samples = np.frombuffer(wav.readframes(wav.getnframes()), dtype="<i2") / 32768
    # The quietest bin a picture needs; silence would otherwise be log of 0.
    samples = samples + 1e-6 * np.random.default_rng(0).standard_normal(len(samples))
    figure, axes = pyplot.subplots(figsize=(10, 4), layout="constrained")
    _, _, _, image = axes.specgram(samples, NFFT=1024, Fs=rate_hz, noverlap=768, cmap="magma")
    image.set_clim(image.get_clim()[1] - 80, image.get_clim()[1])
    axes.set(xlabel="seconds", ylabel="Hz", title=file.name)
    figure.colorbar(image, label="dB")
    figure.savefig(picture, dpi=110)
    pyplot.close(figure)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, default=Path("out"))
    parser.add_argument("--model", default="tiny", help="as in `kani-npc serve`")
    arguments = parser.parse_args()
    out: Path = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    # Piped output has no width of its own, and the usual 80 columns break a table of sentences.
    console = Console(width=None if sys.stdout.isatty() else 120)
    try:
        with local_server("--model", arguments.model, log=out / "server.log") as server:
            console.print(f"the server took {server.start_s:.1f} s to start, at {server.address}")
            spoken = asyncio.run(speak(server.address, out))
    except (ServerFailed, ServiceError) as error:
        console.print(f"[red]no demo:[/] {error}", highlight=False)
        return 1
    picture = spoken[0].file.with_suffix(".png")
    draw_spectrogram(spoken[0].file, picture)
    table = Table("voice", "text", "first audio ms", "duration s", "real-time factor", "file")
    for line in spoken:
        table.add_row(
            line.voice,
            line.text,
            f"{line.first_audio_ms:.0f}",
            f"{line.duration_s:.2f}",
            f"{line.real_time_factor:.3f}",
            str(line.file),
        )
    console.print(table)
    console.print(f"spectrogram of the first line: {picture}")
    console.print("times of this machine at this load; `python -m benchmarks` measures")
    return 0


if __name__ == "__main__":
    sys.exit(main())
