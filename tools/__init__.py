"""What is run from a checkout and is not part of the package."""
