"""Which address does a client have?

The peer's; or, if the peer is a trusted proxy, the one that it names in `X-Forwarded-For` or `Forwarded`. Such a header is read from its end: each trusted
proxy appends whom it saw, and what stands before the first address that is no proxy's was written by the client, who may write anything.
"""

import ipaddress
import re
from collections.abc import Mapping, Sequence

from .errors import ConfigurationError

_FORWARDED_FOR = re.compile(r'for="?\[?([0-9A-Fa-f:.]+)\]?(?::\d+)?"?', re.IGNORECASE)
MOST_HOPS = 16


class Proxies:
    """The proxies that may say for whom they speak.

    Raises:
        ConfigurationError: one of the networks is none.
    """

    def __init__(self, networks: Sequence[str]) -> None:
        try:
            self._networks = tuple(ipaddress.ip_network(network, strict=False) for network in networks)
        except ValueError as error:
            raise ConfigurationError(f"MATCHMAKING_TRUSTED_PROXIES: {error}; write networks as 10.0.0.0/8, separated by commas") from error

    def trusts(self, address: str) -> bool:
        """Whether this is one of them."""
        if not self._networks:
            return False
        try:
            found = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(found in network for network in self._networks)

    def client(self, peer: str, headers: Mapping[str, str]) -> str:
        """The client's address; `headers` have lower-case names."""
        if not self.trusts(peer):
            return peer
        forwarded = headers.get("x-forwarded-for")
        hops = [hop.strip() for hop in forwarded.split(",")] if forwarded else _FORWARDED_FOR.findall(headers.get("forwarded", ""))
        address = peer
        for hop in reversed(hops[-MOST_HOPS:]):
            if not _is_address(hop):
                break
            address = hop
            if not self.trusts(hop):
                break
        return address


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
