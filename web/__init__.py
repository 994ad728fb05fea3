"""Pages for people at a desk: one sub-package a screen, around one frame."""
