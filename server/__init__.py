"""Server side of Outpost: the slices, the database and the composition root."""
