"""Lines that were said before, and takes that are checked before they are heard: both speak as a `Synthesizer` does."""
