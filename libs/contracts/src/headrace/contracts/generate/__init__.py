"""Everything that is made from `schemas/`: models, package data, AsyncAPI, the event table, the lock."""
