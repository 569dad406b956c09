"""The voices and accents that a model folder ships, by name. Read-only.

Voices come from `voices.json`, accents from the language tags the model was trained with. Knows no wire, no engine
and no tensors.
"""

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from kani_npc.errors import AccentNotFound, ModelError, VoiceNotFound
from kani_npc.speech import AccentPreset, SpeakerEmbedding, Voice

VOICES_FILE = "voices.json"
_ID = re.compile(r"[a-z0-9-]{1,63}")
_KEYS = {"id", "display_name", "space", "embedding", "tag", "licence"}


class BuiltinVoices:
    """Finds voices and accents by id. An accent's id is its tag in lower case with dashes; the tag itself is as good.

    Without a `voices.json` there is one voice, `default`, without a speaker slot.
    """

    def __init__(
        self,
        voices: Sequence[Voice],
        accents: Sequence[AccentPreset],
        *,
        default_voice: str,
        default_accent: str | None,
    ) -> None:
        self.voices = tuple(voices)
        self.accents = tuple(accents)
        self._voice_by_id = {v.id: v for v in voices}
        self._accent_by_name = {a.tag: a for a in accents} | {a.id: a for a in accents}
        self.default_voice = self.voice(default_voice)
        self.default_accent = None if default_accent is None else self.accent(default_accent)

    def voice(self, id: str) -> Voice:
        """Raises `VoiceNotFound`."""
        try:
            return self._voice_by_id[id]
        except KeyError:
            raise VoiceNotFound(
                f"no voice {id[:64]!r}; GetServerInfo lists the voices ({_some(self._voice_by_id)})"
            ) from None

    def accent(self, name: str) -> AccentPreset:
        """Raises `AccentNotFound`."""
        try:
            return self._accent_by_name[name]
        except KeyError:
            ids = _some([a.id for a in self.accents])
            what = f"GetServerInfo lists the accents ({ids})" if ids else "this model knows none"
            raise AccentNotFound(f"no accent {name[:64]!r}; {what}") from None

    def accent_of(self, voice: Voice) -> AccentPreset | None:
        """What a voice speaks when no accent is asked for: its own, else the default; None where there is none."""
        return self.default_accent if voice.tag is None else self.accent(voice.tag)


def load_voices(folder: Path, *, languages: Sequence[str], speaker_space: str) -> BuiltinVoices:
    """The voices of a model folder, checked against the model they are for.

    `languages` are the tags the model was trained with, `speaker_space` the encoder whose embeddings it takes. Raises
    `ModelError` that names the file and what is wrong in it.
    """
    accents = [AccentPreset(id=_accent_id(tag), tag=tag) for tag in languages]
    path = folder / VOICES_FILE
    if not path.exists():
        voices = [Voice(id="default", display_name="Default")]
        first = languages[0] if languages else None
        return BuiltinVoices(voices, accents, default_voice="default", default_accent=first)
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        voices = [_read_voice(v, languages, speaker_space) for v in data["voices"]]
        if len({v.id for v in voices}) != len(voices):
            raise ValueError("two voices have the same id")
        return BuiltinVoices(
            voices,
            accents,
            default_voice=data["default_voice"],
            default_accent=data.get("default_accent"),
        )
    except KeyError as missing:
        raise ModelError(f"{path}: {missing.args[0]!r} is missing") from None
    except (ValueError, TypeError, AttributeError, VoiceNotFound, AccentNotFound) as wrong:
        raise ModelError(f"{path}: {wrong}") from wrong


def _some(ids: Iterable[str]) -> str:
    """The first few, for a line that somebody reads."""
    first = list(islice(ids, 13))
    return ", ".join(first[:12] + ["..."] * (len(first) > 12))


def _accent_id(tag: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", tag.lower()).strip("-")[:63]


def _read_voice(data: Mapping[str, Any], languages: Sequence[str], speaker_space: str) -> Voice:
    id, tag = data["id"], data.get("tag")
    if not isinstance(id, str) or not _ID.fullmatch(id):
        raise ValueError(f"voice id {id!r} is not 1 to 63 of a-z, 0-9 and -")
    if unknown := set(data) - _KEYS:
        raise ValueError(f"voice {id!r} has unknown keys: {', '.join(sorted(unknown))}")
    if tag is not None and tag not in languages:
        raise ValueError(f"voice {id!r} has the tag {tag!r}, which the model was not trained with")
    return Voice(
        id=id,
        display_name=data.get("display_name") or id,
        embedding=_read_embedding(id, data, speaker_space),
        tag=tag,
        licence=data.get("licence", ""),
    )


def _read_embedding(
    id: str, data: Mapping[str, Any], speaker_space: str
) -> SpeakerEmbedding | None:
    if data.get("embedding") is None:
        return None
    if data["space"] != speaker_space:
        raise ValueError(
            f"voice {id!r} is an embedding of {data['space']!r}; this model takes {speaker_space!r}"
        )
    vector = np.asarray(data["embedding"], dtype=np.float32)
    length = float(np.linalg.norm(vector))
    if vector.ndim != 1 or not math.isclose(length, 1.0, abs_tol=1e-3):  # NaN is close to nothing
        raise ValueError(f"voice {id!r} has an embedding that is not one vector of unit length")
    vector.setflags(write=False)
    return SpeakerEmbedding(vector=vector, space=speaker_space)
