"""How long a text may be, and how long what is said in one go, in seconds of speech and in characters."""

from kani_npc.errors import InvalidUtterance

MAX_SPEECH_S = 40  # in one go: the published model's data was filtered to 40 s
MAX_CHARACTERS = 20_000  # of a text, about 22 minutes of English; it is said in `pieces`


def check_length(num_characters: int, *, field: str = "text") -> None:
    """Raises `InvalidUtterance` for a text of more than `MAX_CHARACTERS`."""
    if num_characters > MAX_CHARACTERS:
        raise InvalidUtterance(
            f"the text is {num_characters} characters; one line may have {MAX_CHARACTERS}; say it as several lines",
            field=field,
        )
