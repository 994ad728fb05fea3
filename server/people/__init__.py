"""Tenants, units, employees, accounts, roles and devices, and the one policy function."""
