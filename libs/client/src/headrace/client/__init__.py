"""The SDK and the headrace command line; the demo."""
