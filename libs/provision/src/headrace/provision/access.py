"""Who may touch which bucket: least privilege, for SeaweedFS's identities and MinIO's policies alike."""

import json
from collections.abc import Mapping

from headrace.contracts.services import ACCESS, BUCKETS, PASSING, Right

__all__ = ["ACCESS", "BUCKETS", "PASSING", "Right", "actions", "policy"]


def actions(rights: Mapping[str, Right], prefix: str) -> list[str]:
    """SeaweedFS's words for these rights."""
    verbs = {"r": ("Read", "List"), "rw": ("Read", "List", "Write")}
    verbs["rwd"] = verbs["rw"]  # there who may write may also remove
    return [f"{verb}:{prefix}{bucket}" for bucket, right in rights.items() for verb in verbs[right]]


def policy(rights: Mapping[str, Right], prefix: str) -> str:
    """An S3 policy document with these rights, as JSON."""
    statements = [
        {
            "Effect": "Allow",
            "Action": [
                "s3:GetObject",
                "s3:GetObjectVersion",
                *(["s3:PutObject", "s3:AbortMultipartUpload"] if "w" in right else []),
                *(["s3:DeleteObject"] if "d" in right else []),
            ],
            "Resource": [f"arn:aws:s3:::{prefix}{bucket}/*"],
        }
        for bucket, right in rights.items()
    ]
    listing = {
        "Effect": "Allow",
        "Action": ["s3:ListBucket", "s3:GetBucketLocation"],
        "Resource": [f"arn:aws:s3:::{prefix}{bucket}" for bucket in rights],
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [*statements, listing]})
