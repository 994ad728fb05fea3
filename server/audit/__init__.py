"""Who looked at whose location and why, and what happened to accounts and devices."""
