"""What code that runs is told, and what it tells: names of files and variables, the same for every language.

A program finds its job in the file `HEADRACE_JOB`, its rows below `HEADRACE_DATA`, writes its model into the folder
`HEADRACE_MODEL`, and appends what it has to say to the file `HEADRACE_EVENTS`, one JSON object a line:

    {"progress": {"step": 3, "of": 10, "message": "epoch 3"}}
    {"metric": {"name": "loss", "value": 0.25, "step": 3}}
    {"checkpoint": {"path": "checkpoints/3", "step": 3}}

The path of a checkpoint, a file or a folder, is relative to `HEADRACE_OUT`.
"""

JOB, DATA, MODEL, EVENTS = "HEADRACE_JOB", "HEADRACE_DATA", "HEADRACE_MODEL", "HEADRACE_EVENTS"
OUT, RESUME, ERROR = "HEADRACE_OUT", "HEADRACE_RESUME", "HEADRACE_ERROR"
"""The folder for what is to be kept; a checkpoint to go on from, where there is one; the file for an error."""

TRAIN_PARQUET, TRAIN_CSV = "train.parquet", "train.csv"
CHECKPOINTS = "checkpoints"
GRAPH, ESTIMATOR, PROCESS = "model.onnx", "model.skops", "process.json"
"""What a model may be: an ONNX graph, a scikit-learn estimator, or a description of processes that answer."""
