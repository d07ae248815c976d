"""Decides how traffic moves to an approved version, and back."""
