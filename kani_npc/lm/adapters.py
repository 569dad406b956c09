"""Per-character LoRA adapters of the language model: which of its matrices they may change, and by how much.

On disk an adapter is the folder that peft writes for an `Lfm2`. Knows no voices, no store and no slots.
"""

# The last part of the module names in `Lfm2` that an adapter may have, of all layers: every matrix that tokens pass
# through. One list for training and serving; peft takes it as its target_modules.
LORA_TARGETS = ("in_proj", "out_proj", "qkv_proj", "w13", "w2")

MAX_LORA_RANK = 32
