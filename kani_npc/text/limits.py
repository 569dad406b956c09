"""How long one line may be, in seconds of speech and in characters."""

from kani_npc.errors import InvalidUtterance

MAX_SPEECH_S = 40  # what the published model was trained up to (its data was filtered to 40 s)
CHARACTERS_PER_S = 15  # of English speech, as the published servers estimate it
MAX_CHARACTERS = MAX_SPEECH_S * CHARACTERS_PER_S


def check_length(text: str) -> None:
    """Raises `InvalidUtterance` for text that would take longer than `MAX_SPEECH_S` to say."""
    if len(text) > MAX_CHARACTERS:
        raise InvalidUtterance(
            f"the text is {len(text)} characters, about {len(text) / CHARACTERS_PER_S:.0f} s of speech; one line may "
            f"have {MAX_CHARACTERS} characters, about {MAX_SPEECH_S} s; split it into shorter lines",
            field="text",
        )
