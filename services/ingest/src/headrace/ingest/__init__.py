"""Decides whether data is what the contract promises, and which dataset version it is."""
