"""Debian's NGINX in front, with the settings that the production guide gives."""

import asyncio
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.cluster import CHART, pool, require
from support.redis_server import free_port
from support.release import Release, matched, player

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]
SETTINGS = CHART / "files" / "nginx.conf"
IDLE = 66.0  # s: longer than the proxy's time-outs


@contextmanager
def nginx(folder: Path, upstream: str) -> Iterator[str]:
    """NGINX on a free port of the loopback address; where it listens."""
    require("nginx")
    listen = f"127.0.0.1:{free_port()}"
    places = "".join(f"{name}_temp_path {folder}/{name};\n" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    text = SETTINGS.read_text().replace("server GATEWAY;", f"server {upstream};").replace("listen LISTEN;", f"listen {listen};")
    (folder / "nginx.conf").write_text(
        f"daemon off;\nmaster_process off;\npid {folder}/pid;\nerror_log {folder}/error.log;\nevents {{}}\nhttp {{\naccess_log off;\n{places}{text}}}\n"
    )
    process = subprocess.Popen([shutil.which("nginx") or "nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")])
    try:
        yield listen
    finally:
        process.terminate()
        process.wait(10)


async def test_sockets_stay_open_and_players_are_matched_through_it(release: Release, url: str, tmp_path: Path) -> None:
    await asyncio.to_thread(release.declare, pool("proxied"))
    with nginx(tmp_path, url.removeprefix("http://")) as listen:
        async with player(release, f"http://{listen}", "nora") as nora, player(release, f"http://{listen}", "otto") as otto:
            await nora.join("proxied", "eu", "ranked")
            await asyncio.sleep(IDLE)
            await otto.join("proxied", "eu", "ranked")
            await asyncio.wait_for(asyncio.gather(matched(nora), matched(otto)), 60)
            assert (nora.connections, otto.connections) == (1, 1)
    await asyncio.to_thread(release.namespace.kubectl, "delete", "mmp", "proxied", "--timeout=30s")


async def test_it_tells_the_gateway_who_the_client_is(tmp_path: Path) -> None:
    heard: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.set_result((await reader.readuntil(b"\r\n\r\n")).decode())
        writer.write(b"HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with nginx(tmp_path, f"127.0.0.1:{port}") as listen:
            host, listening = listen.split(":")
            async with asyncio.timeout(20):
                while True:
                    try:
                        reader, writer = await asyncio.open_connection(host, int(listening))
                        break
                    except OSError:
                        await asyncio.sleep(0.05)
                writer.write(
                    b"GET /ws/alice HTTP/1.1\r\nHost: play.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nX-Forwarded-For: 203.0.113.9\r\n\r\n"
                )
                request = await heard
                await reader.readuntil(b"\r\n\r\n")
            writer.close()
            await writer.wait_closed()
    lines = request.lower().split("\r\n")
    assert "x-forwarded-for: 203.0.113.9, 127.0.0.1" in lines  # what the client claimed comes first; the proxy's own word is last
    assert "x-forwarded-proto: http" in lines
    assert "host: play.example" in lines
    assert "upgrade: websocket" in lines
    assert "connection: upgrade" in lines
