"""The runtime `process`: a model that brings its own code or language answers from child processes of its own."""

from headrace.runtimes.process.runtime import Process

__all__ = ["Process"]
