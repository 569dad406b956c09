"""Speaker encoders, and the way of a recording from an upload to an embedding."""
