"""The published package's own `generate`, decoding with random weights. Runs in an environment of its own.

Only its model file is loaded: the package itself imports NeMo. Everything after the language model is left out.
"""

import importlib.util
import sys
from typing import Any

import torch

from benchmarks.worker import PROMPT_TOKENS, Decode, serve


def _model_class() -> Any:
    package = importlib.util.find_spec("kani_tts")  # found, not imported
    assert package is not None and package.submodule_search_locations
    path = f"{package.submodule_search_locations[0]}/model.py"
    spec = importlib.util.spec_from_file_location("kani_tts_model", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module.KaniTTS2ForCausalLM


def prepare(settings: dict[str, Any]) -> Decode:
    from transformers import GenerationConfig
    from transformers.models.lfm2.configuration_lfm2 import Lfm2Config

    dims = settings["dims"]
    own = {
        "audio_tokens_start",
        "tokens_per_frame",
        "audio_step",
        "use_learnable_rope",
        "alpha_min",
        "alpha_max",
        "speaker_emb_dim",
    }
    config = Lfm2Config(
        **{key: value for key, value in dims.items() if key not in own},
        bos_token_id=1,
        pad_token_id=0,
        tie_word_embeddings=True,
    )
    model = _model_class()(config, **{key: dims[key] for key in own}).eval()
    model = model.to(getattr(torch, settings["dtype"]))
    model.generation_config = GenerationConfig(bos_token_id=1, eos_token_id=7, pad_token_id=0)
    base = dims["audio_tokens_start"] - 10
    prompt = torch.randint(3, base, (1, PROMPT_TOKENS))
    speaker = torch.nn.functional.normalize(torch.randn(1, dims["speaker_emb_dim"]), dim=-1)
    speaker = speaker.to(model.dtype)
    tokens = settings["tokens"]

    def decode() -> int:
        # The package's own settings (core.py), but for the stop: every run makes the same number of tokens.
        out = model.generate(
            input_ids=prompt,
            attention_mask=torch.ones_like(prompt),
            speaker_emb=speaker,
            max_new_tokens=tokens,
            min_new_tokens=tokens,
            do_sample=True,
            top_p=0.95,
            temperature=1.0,
            repetition_penalty=1.1,
            num_return_sequences=1,
            eos_token_id=base + 2,
        )
        return out.shape[1] - PROMPT_TOKENS

    return decode


if __name__ == "__main__":
    serve(prepare)
