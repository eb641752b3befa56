"""A store that speaks S3 (moto's server), as a process on a free port of the loopback address. It checks signatures."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import boto3
import httpx

from .redis_server import free_port

STARTS_WITHIN = 60.0  # s
REGION = "us-east-1"


@contextmanager
def s3_server() -> Iterator[dict[str, str]]:
    """What tells a client where it is, and who it may be: `AWS_…` variables."""
    port = free_port()
    at = f"http://127.0.0.1:{port}"
    words = [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + STARTS_WITHIN
        while True:
            with suppress(httpx.TransportError):
                httpx.get(f"{at}/moto-api/", timeout=5)
                break
            assert process.poll() is None, "the store ended"
            assert time.monotonic() < deadline, "the store does not answer"
            time.sleep(0.1)
        yield {"AWS_ENDPOINT_URL": at, "AWS_REGION": REGION, **_somebody(at)}
    finally:
        process.terminate()
        process.wait(20)


def _somebody(at: str) -> dict[str, str]:
    """A user's keys; from now on nobody without any gets in."""
    iam = boto3.client("iam", endpoint_url=at, region_name=REGION, aws_access_key_id="nobody", aws_secret_access_key="nobody")
    iam.create_user(UserName="records")
    rights = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
    iam.put_user_policy(UserName="records", PolicyName="all", PolicyDocument=json.dumps(rights))
    key = iam.create_access_key(UserName="records")["AccessKey"]
    httpx.post(f"{at}/moto-api/reset-auth", content="0").raise_for_status()
    return {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
