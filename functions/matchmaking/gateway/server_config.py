"""Hypercorn's settings, where its defaults do not fit many small, untrusted connections (Hypercorn 0.18)."""

import logging
import socket

from hypercorn.config import Config

from matchmaking.protocol.messages import MAX_MESSAGE_BYTES

BACKLOG = 2048  # connections that wait to be accepted; reconnects come all at once, and the default of 100 refuses them


def hypercorn_config(listener: socket.socket) -> Config:
    """The settings, for a socket that listens already.

    No HTTP/2, whose streams our limits do not see (`http1_only.py` has a part in it). No WebSocket pings: their pongs are never checked, and the protocol's own
    heartbeats are. No access log, which would hold addresses and cost a line for each probe. One process for each pod: gateways share nothing but the store.
    """
    config = Config()
    config.bind = [f"fd://{listener.detach()}"]
    config.backlog = BACKLOG
    config.websocket_max_message_size = MAX_MESSAGE_BYTES
    config.websocket_ping_interval = None
    config.alpn_protocols = ["http/1.1"]
    config.h11_max_incomplete_size = 16 * 1024
    config.graceful_timeout = 1.0
    config.accesslog = None
    config.errorlog = logging.getLogger("hypercorn.error")
    config.include_server_header = False
    return config
