"""Decides whether a model is still good and whether it must be retrained."""
