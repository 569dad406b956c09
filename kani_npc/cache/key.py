"""What names a line in the cache: a hash of everything that its sound depends on, and of nothing else.

A change of any of it is another key, so that nothing in the cache is ever out of date. Format, pace, priority and who
asks are not in it. Knows no files and no cache.
"""

import hashlib
import json
from dataclasses import asdict

from kani_npc import __version__
from kani_npc.speech import ModelInfo, Utterance

_FORM = 1  # of the key itself


def line_key(utterance: Utterance, info: ModelInfo) -> str:
    """64 hexadecimal digits. The text is as the lexicon left it: a word that is respelled is another text.

    The attempt is not in it: whoever asks for a line wants the take that was good. Neither is the voice's name: two
    revisions that sound alike are one, and a roll-back finds what was said before. A new version of this software may
    say the same otherwise, so it is in.
    """
    voice, embedding = utterance.voice, utterance.voice.embedding
    adapters = [part.sha256 if part else None for part in (voice.lora, voice.codec_delta)]
    parts = (
        _FORM,
        __version__,
        info.content_hash or info.name,
        info.sampler_version,
        info.max_piece_characters,
        utterance.text,
        utterance.language,
        None if embedding is None else (embedding.space, embedding.vector.tobytes().hex()),
        asdict(utterance.sampling),
        utterance.seed,
        utterance.pause_s,
        # Of an adapted voice only: the lines that others have said keep their names.
        *(adapters if voice.is_adapted else ()),
    )
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
