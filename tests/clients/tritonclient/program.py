"""Everything that tritonclient sends by default, and by its options; prints what came back."""

import json
import sys

import numpy as np
import tritonclient.http as triton

COLUMNS = {
    "distance": ("FP64", np.array([1.5, 2.5])),
    "wind": ("FP64", np.array([0.5, np.nan])),
    "month": ("INT64", np.array([3, 4], "i8")),
    "late": ("BOOL", np.array([True, False])),
    "carrier": ("BYTES", np.array(["UA", "AA"], dtype=object)),
}


def inputs(binary):
    """One tensor a column."""
    made = []
    for name, (datatype, values) in COLUMNS.items():
        tensor = triton.InferInput(name, list(values.shape), datatype)
        tensor.set_data_from_numpy(values, binary_data=binary)
        made.append(tensor)
    return made


def main(host):
    """Ask, and print one JSON document."""
    client = triton.InferenceServerClient(host)
    probabilities = {}

    def ask(case, binary=True, **how):
        answer = client.infer("mixed", inputs(binary), **how)
        probabilities[case] = answer.as_numpy("probability").tolist()

    ask("binary")
    ask("json", binary=False)
    ask("gzip", request_compression_algorithm="gzip")
    ask("deflate", binary=False, request_compression_algorithm="deflate")
    ask("compressed answer", response_compression_algorithm="gzip")
    ask("a version", model_version="1")
    ask("an id", request_id="7")
    wanted = [triton.InferRequestedOutput("probability", binary_data=False), triton.InferRequestedOutput("label")]
    ask("outputs", outputs=wanted)
    ask("parameters", parameters={"routing_key": "a"})
    matrix = triton.InferInput("rows", [1, 4], "FP32")
    matrix.set_data_from_numpy(np.array([[1, 2, 3, 4]], "f4"))
    told = {
        "live": client.is_server_live(),
        "ready": client.is_server_ready(),
        "model ready": client.is_model_ready("mixed"),
        "server": client.get_server_metadata()["name"],
        "inputs": [each["name"] for each in client.get_model_metadata("mixed")["inputs"]],
        "index": [each["name"] for each in client.get_model_repository_index()],
        "asynchronous": client.async_infer("mixed", inputs(True)).get_result().as_numpy("probability").tolist(),
        "matrix": client.infer("numbers", [matrix]).as_numpy("probability").tolist(),
        "probabilities": probabilities,
    }
    print(json.dumps(told))


main(sys.argv[1])
