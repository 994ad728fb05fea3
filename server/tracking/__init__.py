"""Fixes and what follows from them: ledger, quarantine, last positions, presence, trajectories."""
