"""Customer places to visit."""
