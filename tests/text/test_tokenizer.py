import json

import pytest
from tokenizers import Tokenizer as HubTokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing

from kani_npc.errors import CheckpointError
from kani_npc.text import load_tokenizer
from kani_npc.text.phones import PhoneTokenizer
from tests.support.tiny_random import make_random_model

WORDS = {"<unk>": 0, "<s>": 1, "halt": 5, "who": 6}


def _save(folder, *, adds_bos: bool) -> None:
    tokenizer = HubTokenizer(WordLevel(WORDS, unk_token="<unk>"))
    tokenizer.pre_tokenizer = Whitespace()
    if adds_bos:
        tokenizer.post_processor = TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    tokenizer.enable_padding(length=16)
    tokenizer.enable_truncation(max_length=2)
    tokenizer.save(str(folder / "tokenizer.json"))


@pytest.mark.parametrize("adds_bos", [True, False])
def test_a_published_tokenizer_gives_exactly_one_bos_and_neither_pads_nor_cuts(tmp_path, adds_bos):
    _save(tmp_path, adds_bos=adds_bos)
    assert load_tokenizer(tmp_path).encode("halt who halt") == [1, 5, 6, 5]


def test_a_model_folder_of_phones_opens(tmp_path):
    tokenizer = load_tokenizer(make_random_model(tmp_path))
    assert isinstance(tokenizer, PhoneTokenizer)
    assert len(tokenizer.encode("en_us: Halt!")) == 32


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no tokenizer.json"),
        ("{", "not JSON"),
        (json.dumps({"kind": "runes"}), "not known"),
        (json.dumps({"some": "thing"}), "cannot be read"),
        ("[]", "cannot be read"),
    ],
)
def test_a_tokenizer_that_cannot_be_used_is_a_checkpoint_error(tmp_path, content, message):
    if content is not None:
        (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(CheckpointError, match=message):
        load_tokenizer(tmp_path)
