"""Providers that locate a phone or a set of radio cells when asked, and what was asked of them."""
