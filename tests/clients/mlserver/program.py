"""What MLServer's codecs make of data frames, arrays and lists, and what they read of the answers."""

import json
import sys

import httpx
import numpy as np
import pandas as pd
from mlserver.codecs import NumpyRequestCodec, PandasCodec, StringCodec
from mlserver.codecs.utils import get_decoded_or_raw
from mlserver.types import InferenceRequest, InferenceResponse, RequestInput

FRAME = pd.DataFrame(
    {
        "distance": [1.5, 2.5],
        "wind": [0.5, np.nan],
        "month": [3, 4],
        "late": [True, False],
        "carrier": ["UA", "AA"],
    }
)


def main(host):
    """Ask, and print one JSON document."""
    probabilities = {}

    def ask(case, request, model="mixed"):
        url = f"http://{host}/v2/models/{model}/infer"
        body = request.model_dump_json() if isinstance(request, InferenceRequest) else request
        answer = httpx.post(url, content=body, headers={"content-type": "application/json"})
        response = InferenceResponse.model_validate_json(answer.raise_for_status().content)
        output = next(each for each in response.outputs if each.name == "probability")
        probabilities[case] = list(output.data)
        return response

    response = ask("pandas", PandasCodec.encode_request(FRAME))
    ask("pandas, strings as text", PandasCodec.encode_request(FRAME, use_bytes=False))
    ask("pandas, nothing left out", PandasCodec.encode_request(FRAME).model_dump_json(exclude_none=True))
    columns = PandasCodec.encode_request(FRAME).inputs
    carrier = StringCodec.encode_input("carrier", FRAME["carrier"].tolist(), use_bytes=False)
    ask("a string codec", InferenceRequest(inputs=[*columns[:4], carrier]))
    matrix = NumpyRequestCodec.encode_request(np.array([[1.0, 2.0, 3.0, 4.0]]))
    ask("numpy", matrix, model="numbers")
    read = PandasCodec.decode_response(response)
    told = {
        "decoded": read["probability"].tolist(),
        "raw": np.ravel(get_decoded_or_raw(response.outputs[1])).tolist(),
        "datatypes": [each.datatype for each in columns if isinstance(each, RequestInput)],
        "probabilities": probabilities,
    }
    print(json.dumps(told))


main(sys.argv[1])
