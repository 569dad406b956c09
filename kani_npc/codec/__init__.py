"""Codecs: 80 ms frames of four codes to sound and back. See `protocol` for what every codec offers."""
