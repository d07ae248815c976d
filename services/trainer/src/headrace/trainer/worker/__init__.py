"""What runs inside a Ray worker: read the data, train or evaluate, write the artifact. Nothing here knows events."""
