"""What can go wrong between the operator and the Kubernetes API, in our own words."""

from matchmaking.core.errors import MatchmakingError


class ClusterError(MatchmakingError):
    """The API server refused; asking again will not help by itself."""


class ClusterUnavailableError(ClusterError):
    """The API server cannot be reached or is not well; the same call may work later."""


class KindMissingError(ClusterError):
    """The cluster has no such kind of object: its CustomResourceDefinition is not installed."""


class GoneError(ClusterError):
    """There is no such object."""
