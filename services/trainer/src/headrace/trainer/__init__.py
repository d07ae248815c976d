"""Decides what runs where on Ray, when, with which data and parameters."""
