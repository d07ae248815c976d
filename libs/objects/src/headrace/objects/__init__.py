"""The object store behind a small port: content-addressed, write-once, verified on read."""
