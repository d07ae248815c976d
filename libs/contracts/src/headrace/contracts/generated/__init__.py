"""Generated from schemas/ by `make schemas`; changes here are lost."""
