"""Training changes its process; tests share theirs with all others."""

from collections.abc import Iterator

import pytest
import torch

from finetune.tiny import lines


@pytest.fixture(autouse=True)
def arithmetic_as_it_was() -> Iterator[None]:
    """The recipes flush denormals, for speed; drawn numbers of other tests may be denormal. Threads as before, too."""
    num_threads = torch.get_num_threads()
    yield
    torch.set_flush_denormal(False)
    torch.set_num_threads(num_threads)


@pytest.fixture
def plain_english(tmp_path, monkeypatch) -> Iterator[list[str]]:
    """A WordNet of a few entries. Gives the sentences that can be made of them."""
    pytest.importorskip("pocketsphinx", reason="its dictionary says which words are sure")
    nouns = [
        '00 n 01 dog 0 001 @ 00 n 0000 | an animal; "the dog barked all night; it was cold"',
        '00 n 01 cat 0 001 @ 00 n 0000 | another; "a cat named Zzyzx"; "cats"; "who let the cat out?"',
    ]
    many = [
        f'00 v 01 go 0 000 | move; "they went {word} and {other}"'
        for word in ("north", "south", "east", "west", "home", "away", "up", "down")
        for other in ("slept", "ate", "sang", "wept", "danced", "waited", "won", "lost")
    ]
    for part, rows in {"noun": nouns, "verb": many, "adj": [], "adv": []}.items():
        (tmp_path / f"data.{part}").write_text("\n".join(rows), encoding="latin-1")
    monkeypatch.setattr(lines, "WORDNET", tmp_path)
    lines._plain.cache_clear()
    yield list(lines._plain())
    lines._plain.cache_clear()
