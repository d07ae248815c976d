"""Pytest plugin: real broker, real S3 server, databases, clock, builders, eventually()."""
