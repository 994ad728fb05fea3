"""Where radio cells stand: tables brought in from outside, and what the fleet taught."""
