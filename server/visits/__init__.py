"""Visits that people were to make, what fixes say of them, and pins that are wrong."""
