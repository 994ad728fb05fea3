"""Flask glue shared by the two HTTP doors: who asks, what they may, how answers look."""
