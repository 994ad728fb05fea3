"""What rules concluded about a person-day, its evidence, and what people said of it."""
