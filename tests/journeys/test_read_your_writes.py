"""What one service has acknowledged, the next one knows when it is asked right after that."""

from uuid import uuid4

import httpx

from headrace.testkit.cluster import Cluster


def test_a_model_that_was_just_declared_can_be_trained_at_once(cluster: Cluster) -> None:
    """`PUT` the model, then ask for a run: never 404, however often."""
    headers = {"authorization": f"Bearer {cluster.keys['admin']}"}
    with httpx.Client(headers=headers, timeout=30) as http:
        for _ in range(10):
            name = f"m-{uuid4().hex[:12]}"
            document = {"kind": "Model", "name": name, "data": {"dataset": "flights", "target": "late"}}
            declared = http.put(f"{cluster.urls['registry']}/models/{name}", json=document)
            assert declared.is_success, declared.text

            asked = http.post(f"{cluster.urls['trainer']}/models/{name}/runs", json={"reason": "first"})

            assert asked.status_code == 202, asked.text
