"""Seeds of named random streams, so that what one stream draws never moves another."""

import hashlib


def stream_seed(*names: object) -> int:
    """A 63-bit seed from names such as ("order", seed, epoch); equal names, equal seed, on every machine."""
    digest = hashlib.sha256("/".join(map(str, names)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1
