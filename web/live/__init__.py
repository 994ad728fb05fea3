"""The live map: its page, its API and its stream."""
