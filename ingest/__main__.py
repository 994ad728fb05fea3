"""`python -m ingest`: the consumer alone, as `outpost ingest` runs it."""

from ingest.cli import ingest

ingest()
