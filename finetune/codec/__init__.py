"""Adapts a codec's decoder to a character's voice; encoder and quantiser stay, and with them every code's meaning."""
