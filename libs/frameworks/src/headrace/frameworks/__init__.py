"""One file per model framework: fit, save, load, predict, export to ONNX."""
