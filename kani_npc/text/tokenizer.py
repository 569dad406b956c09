"""What a model reads: text to ids, by the tokenizer its folder ships.

tokenizer.json of Hugging Face's `tokenizers`    any text, raw, as the published models were trained
tokenizer.json with "kind": "phones"             English words as phones (`phones.py`)
"""

import json
from pathlib import Path
from typing import Protocol

from kani_npc.errors import CheckpointError
from kani_npc.text.phones import KIND as PHONES_KIND
from kani_npc.text.phones import PhoneTokenizer
from kani_npc.tokens import START_OF_TEXT

TOKENIZER_FILE = "tokenizer.json"


class Tokenizer(Protocol):
    @property
    def vocab_size(self) -> int:
        """One more than the highest id of text, markers not counted."""
        ...

    def encode(self, text: str) -> list[int]:
        """Ids, the first one BOS (1) and no other BOS before the text, no end marker.

        Raises `InvalidUtterance` (field "text") for text that this tokenizer cannot say.
        """
        ...


class SubwordTokenizer:
    """A published `tokenizer.json`."""

    def __init__(self, path: Path) -> None:
        from tokenizers import Tokenizer as HubTokenizer

        try:
            self._tokenizer = HubTokenizer.from_file(str(path))
        except (
            Exception
        ) as error:  # `tokenizers` raises bare Exception for whatever is wrong with a file
            raise CheckpointError(
                "tokenizer.json cannot be read as a tokenizer of `tokenizers`"
            ) from error
        # Files may carry settings for batches; one line is never padded or cut.
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()

    @property
    def vocab_size(self) -> int:
        return self._tokenizer.get_vocab_size()

    def encode(self, text: str) -> list[int]:
        # Whether the file adds BOS depends on its post-processor; the model was trained with exactly one.
        ids: list[int] = self._tokenizer.encode(text).ids
        return ids if ids[:1] == [START_OF_TEXT] else [START_OF_TEXT, *ids]


def load_tokenizer(folder: Path | str) -> Tokenizer:
    """The tokenizer of a model folder. Raises `CheckpointError` if it is missing or cannot be used."""
    path = Path(folder) / TOKENIZER_FILE
    try:
        settings = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise CheckpointError("the model folder has no tokenizer.json") from error
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError("tokenizer.json is not JSON") from error
    if isinstance(settings, dict) and "kind" in settings:
        if settings["kind"] != PHONES_KIND:
            raise CheckpointError(
                f"tokenizer.json is of a kind that is not known here; known: {PHONES_KIND}"
            )
        return PhoneTokenizer.load(Path(folder), settings)
    return SubwordTokenizer(path)
