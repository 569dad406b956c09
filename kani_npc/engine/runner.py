"""Turns a plan into tensors and back: prefills prompts, runs a frame for every row, decodes codes to sound.

Owns everything a slot remembers: language-model state, decoder state, sampler state, codes not decoded yet. The one
home of device copies; one of them a step. Knows no queue, no clock, and no utterance but as ids and numbers.

Shapes: S slots, B rows, K codebooks, F frames, N samples.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from kani_npc.audio import to_int16
from kani_npc.engine.model import SpeechModel
from kani_npc.engine.scheduler import StepFrames, StepPlan
from kani_npc.errors import EngineFailed, KaniError
from kani_npc.lm.sampler import Sampler
from kani_npc.prompt import Prompt
from kani_npc.speech import FloatArray, Int16Array, Utterance

NOT_NUMBERS = "the model's output is not finite; its checkpoint or its dtype is unusable"

# Prompts are read so many inputs at a time: between two frames others wait for one portion at most. The cuts go by the
# prompt alone, so that its numbers do not depend on who else is there.
CPU_PORTION = 32
CUDA_PORTION = 256


@dataclass(slots=True)
class Reading:
    """A prompt on its way into a slot."""

    prompt: Prompt
    speaker_D: Tensor | None
    read: int = 0  # inputs so far


class Runner:
    """`num_slots` static slots of `max_prompt_tokens` and `max_frames` each. Not thread-safe."""

    def __init__(
        self, model: SpeechModel, *, num_slots: int, max_prompt_tokens: int, max_frames: int
    ) -> None:
        self._lm = model.lm
        self._layout = model.lm.layout
        self._codec = model.codec
        self._audio_step = model.lm.config.audio_step
        self._device = model.device
        self._lm_state = model.lm.init_state(
            num_slots, max_prompt_tokens + self._layout.num_codebooks * max_frames
        )
        self._decoder = model.codec.streaming_decoder()
        self._decoder_state = self._decoder.init_state(num_slots)
        self._sampler = Sampler(self._layout, num_slots, self._device)
        # What sub-step 0 of the next frame feeds.
        self._next_id_S = torch.zeros(num_slots, dtype=torch.int64, device=self._device)
        self._next_position_S = torch.zeros(num_slots, device=self._device)
        self._first_audio_position_S = torch.zeros(num_slots, device=self._device)
        self._frame_S = torch.zeros(num_slots, device=self._device)
        self._portion = CUDA_PORTION if self._device.type == "cuda" else CPU_PORTION
        self._reading: list[Reading | None] = [None] * num_slots
        # Frames [K] that wait for sound, by slot.
        self._codes: list[list[Tensor]] = [[] for _ in range(num_slots)]

    @torch.inference_mode()
    def admit(self, slot: int) -> None:
        """A new guest finds a clean row: no sound before its own."""
        self._decoder_state.reset([slot])

    @torch.inference_mode()
    def begin(self, slot: int, utterance: Utterance, prompt: Prompt, piece: int) -> None:
        """The guest's next piece, whose prompt is to be read. The voice starts anew, its sound goes on."""
        embedding = utterance.voice.embedding
        speaker_D = (
            None if embedding is None else torch.tensor(embedding.vector, device=self._device)
        )
        self._codes[slot].clear()  # a last one, of a row that drew end_of_speech
        self._lm_state.reset([slot])
        self._sampler.admit(slot, utterance.sampling, utterance.seed, piece, utterance.attempt)
        self._reading[slot] = Reading(prompt, speaker_D)
        self._next_id_S[slot] = prompt.ids[-1]
        self._next_position_S[slot] = prompt.position(0, 0, self._audio_step)
        self._first_audio_position_S[slot] = prompt.first_audio_position
        self._frame_S[slot] = 0

    @torch.inference_mode()
    def read(self, slot: int) -> bool:
        """Read the next portion of the slot's prompt. True after the last: the next sub-step feeds start_of_speech."""
        reading = self._reading[slot]
        assert reading is not None, f"slot {slot} has nothing to read"
        length = reading.prompt.prefill_length
        stop = min(reading.read + self._portion, length)
        self._lm.prefill(
            reading.prompt, reading.speaker_D, self._lm_state, slot, reading.read, stop
        )
        reading.read = stop
        if stop == length:
            self._reading[slot] = None
        return stop == length

    @torch.inference_mode()
    def run(self, plan: StepPlan) -> StepFrames:
        """A frame of codes for every slot in `speak`, then sound for `decode`; one copy to the host."""
        outcome = self._speak(plan.speak)
        sounds = self._decode(plan.decode)
        parts = [outcome, *(sound_BN.flatten() for _, sound_BN in sounds)]
        host = torch.cat(parts).cpu().numpy()
        told, host = host[: len(outcome)], host[len(outcome) :]
        rows = told.reshape(2 + self._layout.num_codebooks, len(plan.speak))
        did_end, is_broken, codes_KB = rows[0], rows[1], rows[2:]
        ended = frozenset(slot for slot, yes in zip(plan.speak, did_end, strict=True) if yes)
        broken = [slot for slot, yes in zip(plan.speak, is_broken, strict=True) if yes]
        samples: dict[int, Int16Array] = {}
        for slots, sound_BN in sounds:
            rows: FloatArray = host[: sound_BN.numel()].reshape(sound_BN.shape)
            host = host[sound_BN.numel() :]
            for slot, row in zip(slots, rows, strict=True):
                # A row that ended has codes of no frame at the end of its group; nobody hears them.
                heard = row[: -self._codec.samples_per_frame] if slot in ended else row
                samples[slot] = to_int16(heard)
        failed: dict[int, KaniError] = {slot: EngineFailed(NOT_NUMBERS) for slot in broken}
        codes = dict(zip(plan.speak, codes_KB.T.astype(int).tolist(), strict=True))
        return StepFrames(ended=ended, codes=codes, samples=samples, failed=failed)

    def _speak(self, slots: Sequence[int]) -> Tensor:
        """Four sub-steps: the previous token in, code k out.

        Returns who ended and who is broken, 0 or 1, and all codes, which float32 holds exactly: [(2 + K) * B].
        """
        if not slots:
            return torch.empty(0, device=self._device)
        slots_B = torch.tensor(slots, device=self._device)
        ids_B = self._next_id_S[slots_B]
        position_B = self._next_position_S[slots_B]
        # All tokens of a frame share one position, computed as in training, not summed up: rounding would differ.
        frame_position_B = (
            self._first_audio_position_S[slots_B] + self._audio_step * self._frame_S[slots_B]
        )
        codes: list[Tensor] = []
        last_code = self._layout.codebook_size - 1
        for k in range(self._layout.num_codebooks):
            hidden_BH = self._lm.step(ids_B, position_B, self._lm_state, slots)
            codes_B = self._sampler.draw(self._lm.codebook_logits(hidden_BH, k), k, slots)
            codes.append(codes_B)
            # A row that drew end_of_speech goes on with some code: rows stay in step, and what it says is dropped.
            ids_B = codes_B.clamp(max=last_code) + self._layout.codebook_start(k)
            position_B = frame_position_B
        self._sampler.next_frame(slots)
        self._next_id_S[slots_B] = ids_B
        self._next_position_S[slots_B] = frame_position_B
        self._frame_S[slots_B] += 1
        codes_BK = torch.stack(codes, dim=1).clamp(max=last_code)
        for slot, codes_K in zip(slots, codes_BK, strict=True):
            self._codes[slot].append(codes_K)
        ended_B = codes[0] > last_code
        return torch.cat([ended_B, self._sampler.broken(slots), codes_BK.T.flatten()]).float()

    def _decode(self, decode: Sequence[tuple[int, int]]) -> list[tuple[list[int], Tensor]]:
        """Sound for groups of frames, all rows with equally long groups at once: (slots, [B, n * samples])."""
        sounds: list[tuple[list[int], Tensor]] = []
        for n in sorted({n for _, n in decode}):
            slots = [slot for slot, frames in decode if frames == n]
            codes_BKF = torch.stack([torch.stack(self._codes[slot][:n], dim=1) for slot in slots])
            for slot in slots:
                del self._codes[slot][:n]
            sounds.append((slots, self._decoder(codes_BKF, self._decoder_state, slots).float()))
        return sounds
