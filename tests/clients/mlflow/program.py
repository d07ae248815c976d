"""What MLflow's scoring client and its deployments client send; prints what came back."""

import json
import sys

import numpy as np
import pandas as pd
from mlflow.deployments import get_deploy_client
from mlflow.pyfunc.scoring_server.client import ScoringServerClient

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
    name, port = host.split(":")
    client = ScoringServerClient(name, port)
    client.wait_server_ready()
    records = json.loads(FRAME.to_json(orient="records"))
    probabilities = {
        "frame": client.invoke(FRAME).get_predictions()["probability"].tolist(),
        "params": client.invoke(FRAME, params={}).get_predictions()["probability"].tolist(),
        "list of records": client.invoke(records).get_predictions()["probability"].tolist(),
        "array": client.invoke(FRAME.to_numpy()).get_predictions()["probability"].tolist(),
    }
    deployments = get_deploy_client(f"http://{host}")
    for form in (
        {"dataframe_split": json.loads(FRAME.to_json(orient="split"))},
        {"dataframe_records": records},
        {"instances": records},
        {"inputs": records},
    ):
        answer = deployments.predict(endpoint="mixed", inputs=form)
        probabilities[f"deployments, {next(iter(form))}"] = [each["probability"] for each in answer["predictions"]]
    print(json.dumps({"version": client.get_version(), "probabilities": probabilities}))


main(sys.argv[1])
