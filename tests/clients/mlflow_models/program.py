"""Our model directories as MLflow loads them; prints what they answer.

`program.py FOLDER...`; of each folder the rows of `rows.json` beside it are asked.
"""

import json
import sys
from pathlib import Path

import mlflow.onnx
import mlflow.pyfunc
import numpy as np
import onnxruntime
import pandas as pd


def by_function(folder, rows):
    """What `mlflow.pyfunc` answers, and whether it knows the signature."""
    model = mlflow.pyfunc.load_model(str(folder))
    told = model.predict(rows)
    names = [each.name for each in model.metadata.signature.inputs]
    return {"answers": {name: told[name].tolist() for name in told}, "inputs": names}


def by_graph(folder, rows):
    """What the graph answers that `mlflow.onnx` loads, asked as its own properties say."""
    graph = mlflow.onnx.load_model(str(folder))
    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    layout = json.loads(session.get_modelmeta().custom_metadata_map["headrace.layout"])
    numbers = rows[layout["numbers"]].astype(layout.get("type", "float32")).to_numpy()
    feeds = {"numbers": np.ascontiguousarray(numbers)}
    if layout.get("strings"):
        texts = rows[layout["strings"]].astype(object)
        feeds["strings"] = texts.where(texts.notna(), "").to_numpy(dtype=object)
    names = [each.name for each in session.get_outputs()]
    return {name: np.asarray(values).tolist() for name, values in zip(names, session.run(names, feeds), strict=True)}


def main(*folders):
    """Load each, and print one JSON document."""
    told = {}
    for folder in map(Path, folders):
        rows = pd.DataFrame(json.loads((folder.parent / f"{folder.name}.json").read_text()))
        told[folder.name] = {"pyfunc": by_function(folder, rows)}
        if (folder / "model.onnx").exists():
            told[folder.name]["onnx"] = by_graph(folder, rows)
    print(json.dumps(told))


main(*sys.argv[1:])
