"""Decides which versions exist, which passed the gates, who approved and which alias points where."""
