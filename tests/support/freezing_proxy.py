"""A TCP proxy that can freeze: connections stay open and carry nothing more, as behind a router that forgot them. New ones work."""

import contextlib
import socket
import threading
from typing import Self

BEGINNING = 4096  # bytes of what a client says first


class _Pair:
    """A client's connection and the one that was made for it."""

    def __init__(self, near: socket.socket, far: socket.socket) -> None:
        self.near, self.far = near, far
        self.frozen = False
        self.beginning = b""


class FreezingProxy:
    """Listens on a free port of the loopback address."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._pairs: list[_Pair] = []
        self._threads: list[threading.Thread] = []

    def freeze(self, saying: bytes = b"") -> int:
        """From now on nothing goes over the connections of before, or over those of them whose client said this first; how many these are."""
        chosen = [pair for pair in self._pairs if saying in pair.beginning]
        for pair in chosen:
            pair.frozen = True
        return len(chosen)

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            pair = _Pair(near, socket.create_connection(self._target))
            self._pairs.append(pair)
            self._run(self._pump, pair, near, pair.far)
            self._run(self._pump, pair, pair.far, near)

    def _pump(self, pair: _Pair, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if source is pair.near and len(pair.beginning) < BEGINNING:
                    pair.beginning += data[:BEGINNING]
                if not pair.frozen:
                    sink.sendall(data)
            if not pair.frozen:
                sink.shutdown(socket.SHUT_WR)

    def _run(self, work: object, *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def __enter__(self) -> Self:
        self._run(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        for each in [self._listener, *(end for pair in self._pairs for end in (pair.near, pair.far))]:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        for thread in self._threads:
            thread.join(10)
