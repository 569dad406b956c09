"""transformers' own LFM2 `generate` with random weights: the peer where the published package cannot be installed."""

from typing import Any

import torch

from benchmarks.worker import PROMPT_TOKENS, Decode, serve


def prepare(settings: dict[str, Any]) -> Decode:
    from transformers import GenerationConfig, Lfm2Config, Lfm2ForCausalLM

    dims = settings["dims"]
    config = Lfm2Config(
        vocab_size=dims["vocab_size"],
        hidden_size=dims["hidden_size"],
        num_hidden_layers=dims["num_hidden_layers"],
        num_attention_heads=dims["num_attention_heads"],
        num_key_value_heads=dims["num_key_value_heads"],
        layer_types=dims["layer_types"],
        intermediate_size=dims["block_ff_dim"],
        tie_word_embeddings=True,
    )
    model: Any = Lfm2ForCausalLM(config).eval().to(getattr(torch, settings["dtype"]))
    prompt = torch.randint(3, dims["audio_tokens_start"] - 10, (1, PROMPT_TOKENS))
    tokens = settings["tokens"]
    sampling = GenerationConfig(
        max_new_tokens=tokens,
        min_new_tokens=tokens,
        do_sample=True,
        temperature=1.0,
        top_p=0.95,
        top_k=50,
        repetition_penalty=1.1,
        bos_token_id=1,
        eos_token_id=7,
        pad_token_id=0,
    )

    def decode() -> int:
        out = model.generate(
            prompt, attention_mask=torch.ones_like(prompt), generation_config=sampling
        )
        return out.shape[1] - PROMPT_TOKENS

    return decode


if __name__ == "__main__":
    serve(prepare)
