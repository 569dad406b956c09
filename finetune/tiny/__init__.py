"""The recipe of `tiny`, the voice model that ships with the service: `python -m finetune.tiny --help`."""
