# ruff: noqa: RUF001  the signs that look alike are the point
"""Makes a player's text safe to speak: what every model gets, whatever its tokenizer.

Linear in the text. Knows no language: numbers and abbreviations stay as they are (see `normalize`).
"""

import re
import unicodedata

from kani_npc.errors import InvalidUtterance
from kani_npc.text.limits import MAX_CHARACTERS, check_length

# Above this, even a text that is mostly emoji and blanks is refused unread.
_MAX_RAW_CHARACTERS = 4 * MAX_CHARACTERS

_FOLDED = str.maketrans(
    {
        **dict.fromkeys("‘’‚‛′ʼ＇`´", "'"),
        **dict.fromkeys("“”„‟″«»＂", '"'),
        **dict.fromkeys("‐‑‒–−﹘－", "-"),
        **dict.fromkeys("—―", " - "),
        **dict.fromkeys("\t\n\v\f\r\x85\u2028\u2029", " "),
        "…": "...",
    }
)
# Controls, unassigned, private and surrogate code points, pictographs with their tones and frames. Joiners (in Cf) are
# dealt with apart: emoji sequences use them, and so does the spelling of Persian and of Indic languages.
_DROPPED = frozenset(("Cc", "Cf", "Cn", "Co", "Cs", "So", "Sk", "Me"))
_JOINERS = frozenset("\u200c\u200d")
_KEPT = _JOINERS | {"°"}
_VARIATION_SELECTOR = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]")
_STRAY_JOINER = re.compile(r"(?<!\w)[\u200c\u200d]+|[\u200c\u200d]+(?!\w)")
# An emoji keycap is digit, selector, frame: the digit alone would be read out.
_KEYCAP = re.compile("[0-9#*]\ufe0f?\u20e3")


def clean(text: str) -> str:
    """NFC, typographic signs folded to plain ones, nothing invisible, single blanks.

    Raises `InvalidUtterance` (field "text") if no letter and no digit is left, or if the text is absurdly long.
    """
    if len(text) > _MAX_RAW_CHARACTERS:
        check_length(len(text))
    text = plain(text)
    check_speakable(text)
    return text


def check_speakable(text: str) -> None:
    """Raises `InvalidUtterance` where a clean text has no letter and no digit."""
    if not is_speakable(text):
        raise InvalidUtterance(
            "the text has nothing to speak: no letter and no digit is left without blanks, signs and emoji",
            field="text",
        )


def is_speakable(text: str) -> bool:
    """Whether it has a letter or a digit."""
    return any(c.isalnum() for c in text)


def plain(text: str) -> str:
    """The same for part of a text, of which nothing may be left. Word by word: blanks keep words apart in all of it."""
    text = _VARIATION_SELECTOR.sub("", _KEYCAP.sub("", text))
    # Each character is looked up once, however often it comes: a long text's first sound waits for this.
    signs = set(text)
    changed = {ord(c): _FOLDED.get(ord(c)) for c in signs if _is_changed(c)}
    if changed:
        text = text.translate(changed)
    if not _JOINERS.isdisjoint(signs):
        text = _STRAY_JOINER.sub("", text)
    return " ".join(unicodedata.normalize("NFC", text).split())


def _is_changed(c: str) -> bool:
    return ord(c) in _FOLDED or (unicodedata.category(c) in _DROPPED and c not in _KEPT)
