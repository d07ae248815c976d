"""Decides whether the record is whole and untampered."""
