"""Everything that kserve's REST client sends by default; prints what came back."""

import asyncio
import json
import sys

import numpy as np
from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig

COLUMNS = {
    "distance": ("FP64", np.array([1.5, 2.5])),
    "wind": ("FP64", np.array([0.5, np.nan])),
    "month": ("INT64", np.array([3, 4], "i8")),
    "late": ("BOOL", np.array([True, False])),
    "carrier": ("BYTES", np.array(["UA", "AA"], dtype=object)),
}


def request(binary, **more):
    """One tensor a column."""
    tensors = []
    for name, (datatype, values) in COLUMNS.items():
        tensor = InferInput(name, list(values.shape), datatype)
        tensor.set_data_from_numpy(values, binary_data=binary)
        tensors.append(tensor)
    return InferRequest(model_name="mixed", infer_inputs=tensors, **more)


async def main(host):
    """Ask, and print one JSON document."""
    client, url = InferenceRESTClient(RESTConfig(protocol="v2")), f"http://{host}"
    probabilities = {}

    async def ask(case, data):
        answer = await client.infer(url, data, model_name="mixed")
        output = next(each for each in answer.outputs if each.name == "probability")
        probabilities[case] = output.as_numpy().tolist()

    await ask("binary", request(True))
    await ask("json", request(False))
    await ask("a version", request(False, model_version="1"))
    await ask("an id", request(True, request_id="7"))
    await ask("parameters", request(False, parameters={"routing_key": "a"}))
    plain = [
        {"name": name, "shape": [2], "datatype": kind, "data": values.tolist()}
        for name, (kind, values) in COLUMNS.items()
    ]
    plain[1]["data"][1] = None
    await ask("a dict", {"inputs": plain})
    told = {
        "live": await client.is_server_live(url),
        "ready": await client.is_server_ready(url),
        "model ready": await client.is_model_ready(url, "mixed"),
        "probabilities": probabilities,
    }
    print(json.dumps(told))


asyncio.run(main(sys.argv[1]))
