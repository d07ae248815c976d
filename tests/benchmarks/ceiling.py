"""Bare Starlette with ONNX Runtime: what a Python server costs when it does nothing but answer.

`python ceiling.py MODELS_FOLDER PORT NAME=DIGEST...`
"""

import sys
from pathlib import Path

import numpy as np
import onnxruntime
import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


def main(folder: Path, port: int, models: dict[str, str]) -> None:
    """Serve."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    sessions = {
        name: onnxruntime.InferenceSession(str(folder / digest / "model.onnx"), options)
        for name, digest in models.items()
    }

    async def infer(request: Request) -> Response:
        name = request.path_params["name"]
        given = orjson.loads(await request.body())["inputs"][0]
        rows = np.asarray(given["data"], np.float32).reshape(given["shape"])
        label, probability = sessions[name].run(None, {"numbers": rows})
        outputs = [
            {"name": "label", "shape": [len(label)], "datatype": "INT64", "data": label.tolist()},
            {"name": "probability", "shape": [len(label)], "datatype": "FP64", "data": probability.tolist()},
        ]
        return Response(orjson.dumps({"model_name": name, "outputs": outputs}), media_type="application/json")

    async def ready(_request: Request) -> Response:
        return Response(b"{}")

    app = Starlette(routes=[Route("/v2/models/{name}/infer", infer, methods=["POST"]), Route("/ready", ready)])
    uvicorn.run(app, port=port, loop="uvloop", http="httptools", log_level="error", access_log=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), dict(pair.split("=") for pair in sys.argv[3:]))
