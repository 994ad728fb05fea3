"""Posts with versioned geofences, shifts, the roster and the duty windows it makes."""
