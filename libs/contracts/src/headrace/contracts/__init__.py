"""The wire: models generated from schemas/, the envelope, encode and decode."""
