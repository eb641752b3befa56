"""Names of the objects that belong to a pool. KEDA copies a ScaledJob's name into labels and pods, so they stay short."""

import hashlib

LONGEST = 50  # characters: KEDA and the Job controller append up to 13 to it, and label values end at 63


def object_name(*parts: str) -> str:
    """Parts joined by dashes; with a hash where that would be too long, or could be read in two ways.

    `("duel", "eu-west")` can only be that pool and that region, because the pool's name has no dash. `("a-b", "c")` and `("a", "b-c")` would meet.
    """
    plain = "-".join(parts)
    if len(plain) <= LONGEST and not any("-" in part for part in parts[:-1]):
        return plain
    digest = hashlib.sha256("/".join(parts).encode()).hexdigest()[:8]
    return f"{plain[: LONGEST - 9].rstrip('-')}-{digest}"
