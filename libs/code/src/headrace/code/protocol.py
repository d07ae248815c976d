"""What code that runs is told, and what it tells: names of files and variables, the same for every language.

A program finds its job in the file `HEADRACE_JOB`, its rows below `HEADRACE_DATA`, writes its model into the folder
`HEADRACE_MODEL`, and appends what it has to say to the file `HEADRACE_EVENTS`, one JSON object a line:

    {"progress": {"step": 3, "of": 10, "message": "epoch 3"}}
    {"metric": {"name": "loss", "value": 0.25, "step": 3}}
    {"checkpoint": {"path": "checkpoints/3", "step": 3, "metrics": {"loss": 0.25}}}

The path of a checkpoint, a file or a folder, is relative to `HEADRACE_OUT`, or lies below it. A checkpoint is written
under another name, then renamed into the folder `HEADRACE_CHECKPOINTS`, and only then told of, so that none is read
while it is being written. What lies in that folder is removed once it is kept; elsewhere it stays.
"""

JOB, DATA, MODEL, EVENTS = "HEADRACE_JOB", "HEADRACE_DATA", "HEADRACE_MODEL", "HEADRACE_EVENTS"
OUT, RESUME, ERROR = "HEADRACE_OUT", "HEADRACE_RESUME", "HEADRACE_ERROR"
"""The folder for what is to be kept; a checkpoint to go on from, where there is one; the file for an error."""
CHECKPOINTS = "HEADRACE_CHECKPOINTS"
"""The folder that checkpoints are renamed into."""
ASKED = "HEADRACE_CHECKPOINT_ASKED"
"""A file that is there while a checkpoint is asked for, because another run needs the place of this one."""

TRAIN_PARQUET, TRAIN_CSV = "train.parquet", "train.csv"
CHECKPOINT_FOLDER = "checkpoints"  # below HEADRACE_OUT
CHECKPOINT_FILE = "checkpoint.bin"
"""The name of the file in a checkpoint that was given as bytes."""
GRAPH, ESTIMATOR, PROCESS = "model.onnx", "model.skops", "process.json"
"""What a model may be: an ONNX graph, a scikit-learn estimator, or a description of processes that answer."""
