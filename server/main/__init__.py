"""Composition root: the app factories, the runners and the command `outpost`."""
