"""Delivery: connection, pull loop, outbox, inbox, verdicts, parking, topology."""
