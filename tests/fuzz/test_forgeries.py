"""Nobody gets in by a forged token, a foreign page, a used ticket or somebody else's resume token; and no secret gets into the log."""

import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import websockets

import hostile
from deployment import AUDIENCE, ISSUER, Deployment, GatewayProcess, deployment
from support.tokens import Signer


async def knock(
    gateway: GatewayProcess, player: str = "alice", subprotocols: list[str] | None = None, **headers: str
) -> tuple[str, int, str]:
    """Open a socket: the type of the first message, the close code, and everything that was said."""
    try:
        async with websockets.connect(
            f"ws://127.0.0.1:{gateway.port}/ws/{player}", subprotocols=subprotocols or ["gsm.v1"], additional_headers=headers
        ) as socket:
            first = await socket.recv()
            kind = json.loads(first)["type"]
            if kind == "hello":
                return kind, 0, str(first)
            await socket.wait_closed()
            return kind, socket.close_code or 1006, str(first)
    except websockets.InvalidStatus as error:
        return "status", error.response.status_code, error.response.body.decode()


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def ask(gateway: GatewayProcess, path: str, token: str, method: str = "POST") -> tuple[int, Any]:
    request = urllib.request.Request(gateway.url + path, method=method, headers=bearer(token))
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


async def test_forged_tokens_are_refused_on_sockets_and_by_the_api(running: Deployment) -> None:
    gateway, good = running.gateways[0], running.keys.token("alice")
    assert (await knock(gateway, **bearer(good)))[0] == "hello"
    jwks = json.loads(running.keys.jwks_file.read_text())
    for name, token in hostile.tokens(good, jwks, ISSUER, AUDIENCE, "alice"):
        kind, code, said = await knock(gateway, **bearer(token))
        assert (kind, code) in {("error", 4401), ("status", 401), ("status", 400)}, (name, kind, code)
        assert not token or token not in said, name
        status, answer = ask(gateway, "/api/v1/sign-in/ticket", token)
        assert status in {400, 401}, name
        assert "Traceback" not in str(answer), name


async def test_well_signed_tokens_with_wrong_claims_are_refused(tmp_path: Path) -> None:
    signer = Signer(tmp_path)
    with deployment(1, jwks_file=str(signer.jwks_file)) as running:
        gateway = running.gateways[0]
        assert (await knock(gateway, **bearer(signer.token("alice"))))[0] == "hello"

        def sign(**claims: Any) -> str:
            return (
                signer.token(claims.pop("sub", "alice"), **claims)
                if claims.get("sub", "alice") is not None
                else signer.token("alice", sub=None)
            )

        for name, token in hostile.signed_tokens(sign, ISSUER, AUDIENCE):
            kind, code, _ = await knock(gateway, **bearer(token))
            assert (kind, code) in {("error", 4401), ("error", 4403)}, (name, kind, code)


async def test_pages_of_other_origins_are_refused(running: Deployment) -> None:
    gateway, token = running.gateways[0], running.keys.token("alice")
    assert (await knock(gateway, **bearer(token), Origin="https://good.example"))[0] == "hello"
    for origin in hostile.ORIGINS:
        kind, code, _ = await knock(gateway, **bearer(token), Origin=origin)
        assert (kind, code) == ("error", 4403), origin


async def test_a_used_ticket_and_somebody_elses_are_refused(running: Deployment) -> None:
    gateway = running.gateways[0]
    _, answer = ask(gateway, "/api/v1/sign-in/ticket", running.keys.token("alice"))
    ticket = answer["ticket"]
    assert (await knock(gateway, subprotocols=["gsm.v1", f"ticket.{ticket}"]))[0] == "hello"
    assert (await knock(gateway, subprotocols=["gsm.v1", f"ticket.{ticket}"]))[:2] == ("error", 4401)
    _, answer = ask(gateway, "/api/v1/sign-in/ticket", running.keys.token("mallory"))
    assert (await knock(gateway, subprotocols=["gsm.v1", f"ticket.{answer['ticket']}"]))[:2] == ("error", 4403)
    for guess in ("", "x", "*", "A" * 32, "A" * 4000):
        assert (await knock(gateway, subprotocols=["gsm.v1", f"ticket.{guess}"]))[0] == "error"


async def test_a_resume_token_signs_nobody_in_and_resumes_nobody_elses_session(running: Deployment) -> None:
    gateway = running.gateways[0]
    hello = json.loads((await knock(gateway, "victim", **bearer(running.keys.token("victim"))))[2])["data"]
    stolen = ["gsm.v1", f"resume.{hello['epoch']}.{hello['seq']}.{hello['resume_token']}"]
    assert (await knock(gateway, "victim", stolen))[:2] == ("error", 4401)
    kind, _, said = await knock(gateway, "mallory", stolen, **bearer(running.keys.token("mallory")))
    assert kind == "hello"
    assert json.loads(said)["data"]["resumed"] is False
    assert (await knock(gateway, "victim", stolen, **bearer(running.keys.token("mallory"))))[:2] == ("error", 4403)
    own = bearer(running.keys.token("victim"))
    again = json.loads((await knock(gateway, "victim", stolen, **own))[2])["data"]
    assert again["resumed"] is True
    later = ["gsm.v1", f"resume.{again['epoch']}.{again['seq']}.{again['resume_token']}"]
    assert json.loads((await knock(gateway, "victim", later, **own))[2])["data"]["resumed"] is True
    assert json.loads((await knock(gateway, "victim", stolen, **own))[2])["data"]["resumed"] is False  # its successor was used


async def test_no_secret_gets_into_the_log() -> None:
    password = "planted-pa55word"
    with deployment(0) as running:
        running.redis.execute_command("CONFIG", "SET", "requirepass", password)
        running.redis.auth(password)
        secrets = [password]
        with_password = running.redis_url.replace("://", f"://:{password}@")
        gateway = running.add_gateway(redis_url=with_password, log_level="DEBUG", log_format="text")
        for turn, odd in enumerate(("", "x", " ")):
            token = running.keys.token(f"player-{turn}")
            secrets += [token, token.split(".")[2]]
            _, answer = ask(gateway, "/api/v1/sign-in/ticket", token)
            secrets.append(answer["ticket"])
            offered = ["gsm.v1", f"ticket.{answer['ticket']}"]
            _, _, said = await knock(gateway, f"player-{turn}", offered)
            await knock(gateway, f"player-{turn}", offered)
            hello = json.loads(said)["data"]
            secrets.append(hello["resume_token"])
            await knock(gateway, "mallory", ["gsm.v1", f"resume.e.1.{hello['resume_token']}"], **bearer(token))
            await knock(gateway, f"player-{turn}", **bearer(token + odd))
        running.redis.execute_command("CONFIG", "SET", "requirepass", "another")
        running.redis.client_kill_filter(_type="normal", skipme=True)
        running.redis.client_kill_filter(_type="pubsub")
        kind, code, _ = await knock(gateway, "player-0", **bearer(running.keys.token("player-0")))
        assert (kind, code) == ("error", 1013)  # its store refuses the password now, which is worth a line
        gateway.process.terminate()
        gateway.process.wait(30)
        log = gateway.log.read_text()
        assert "gateway started" in log
        assert "unavailable" in log or "refused" in log
        assert [secret for secret in secrets if secret in log] == []
