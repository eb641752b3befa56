"""What hostile clients send: frames, messages, tokens, origins. Made from a seed, so that every input can be made again.

Used by `fuzz.py` in great numbers and by the tests in small ones.
"""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Any

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

MESSAGES: tuple[dict[str, Any], ...] = (
    {
        "type": "queue_join",
        "data": {
            "pool": "duel",
            "region": "local",
            "mode": "ranked",
            "op_id": "1",
            "latency": {"local": 5},
            "roles": ["tank"],
            "attributes": {"map": "x"},
        },
    },
    {"type": "queue_leave", "data": {"op_id": "2"}},
    {"type": "match_accept", "data": {"match_id": "m1", "op_id": "3"}},
    {"type": "match_decline", "data": {"match_id": "m1", "op_id": "4"}},
    {"type": "ack", "data": {"seq": 1}},
    {"type": "heartbeat", "data": {}},
    {"type": "party_create", "data": {"op_id": "5"}},
)
VALUES: tuple[bytes, ...] = (
    b"null", b"true", b"-1", b"1e999", b"-1e999", b"NaN", b"Infinity", b"1" + b"0" * 400, b"9223372036854775808", b"18446744073709551616", b"0.1e-400",
    b'""', b'"\\u0000"', b'"\\ud800"', b'"\xff\xfe"', '"\u202e\U0001f9e8"'.encode(), b'"' + b"x" * 5000 + b'"', b"[]", b"{}", b"[" * 600 + b"]" * 600,
    b'{"a":' * 400 + b"1" + b"}" * 400, b'{"a":1,"a":2}', b'{"__proto__":{"x":1}}', b'{"$gt":""}', b'"\'; DROP TABLE players;--"', b'"{}"', b'"*"',
    b'"player:{alice}:outbox"', b'"pool:{duel}:tickets\\r\\nFLUSHALL\\r\\n"', b'"../../etc/passwd"', b'"<script>alert(1)</script>"', b'"%s%n%x"', b'"${jndi:ldap://x}"',
)  # fmt: skip


def text(random: Random) -> bytes:
    """A message that is none, or nearly one."""
    return random.choice((_mutated, _mutated, _mutated, _flipped, _noise, _odd))(random)


def _mutated(random: Random) -> bytes:
    """A message with values that nobody expects."""
    message = json.loads(json.dumps(random.choice(MESSAGES)))
    marks: dict[str, bytes] = {}
    for _ in range(random.randint(1, 3)):
        mark = f"@{len(marks)}@"
        marks[mark] = random.choice(VALUES)
        holder = random.choice((message, message["data"] if isinstance(message.get("data"), dict) else message))
        name = random.choice([*holder, "extra", "type", "seq"])
        holder[name] = mark
    written = json.dumps(message).encode()
    for mark, value in marks.items():
        written = written.replace(f'"{mark}"'.encode(), value)
    if random.random() < 0.1:
        written = written.replace(b"{", b'{"type":"heartbeat",', 1)  # a key twice
    return written


def _flipped(random: Random) -> bytes:
    """A message with some bytes changed, or cut short."""
    written = bytearray(json.dumps(random.choice(MESSAGES)).encode())
    for _ in range(random.randint(1, 4)):
        written[random.randrange(len(written))] = random.randrange(256)
    return bytes(written[: random.randint(1, len(written))]) if random.random() < 0.5 else bytes(written)


def _noise(random: Random) -> bytes:
    return random.randbytes(random.randint(0, 200))


def _odd(random: Random) -> bytes:
    return random.choice(
        (
            b"",
            b" ",
            b"null",
            b"[]",
            b"0",
            b'"heartbeat"',
            b"{}",
            b'{"type":null}',
            b'{"type":[]}',
            b'{"type":"hello","data":{}}',
            b'{"type":"heartbeat"} {"type":"heartbeat"}',
            b"\xef\xbb\xbf" + b'{"type":"heartbeat"}',
            b'{"type":"heartbeat","data":' + b" " * 16_000 + b"{}}",
            b"[" * 16_000,
            b'{"type":"' + b"\\" * 8_000,
            b'{"type":"ack","data":{"seq":' + b"9" * 10_000 + b"}}",
            b'{"type":"queue_join","data":{"pool":"' + b"d" * 17_000 + b'"}}',
        )
    )


def raw(random: Random) -> bytes:
    """Bytes on an open socket that are no frame of the standard, or an impolite one (masked with zeros where masked)."""
    payload = random.randbytes(random.randint(0, 130))
    first = random.choice((0x01, 0x00, 0x80, 0x82, 0x83, 0x87, 0x8B, 0x8F, 0xC1, 0xA1, 0x91, 0xF1, 0x09, 0x08, 0x88, 0x89, 0x8A, 0xC9))
    length = len(payload)
    lengths = (
        bytes((128 | min(length, 125),)),
        bytes((254, 0, min(length, 125))),
        b"\xff" + b"\xff" * 8,
        b"\xff" + b"\x00" * 7 + bytes((min(length, 125),)),
    )
    head = bytes((first,)) + random.choice(lengths)
    if random.random() < 0.1:
        return bytes((first, min(length, 125))) + payload[:125]  # not masked
    if random.random() < 0.2:
        return bytes((0x88, 0x82, 0, 0, 0, 0)) + random.choice((0, 1, 999, 1004, 1005, 1006, 1015, 2999, 4999, 65535)).to_bytes(2)
    return head + bytes(4) + payload[:125]


def requests(random: Random, port: int) -> bytes:
    """An HTTP request as no library writes it."""
    method = random.choice((b"GET", b"POST", b"PUT", b"DELETE", b"OPTIONS", b"TRACE", b"PRI", b"get", b"G\x00T", b"X" * 3000))
    path = random.choice(
        (
            b"/",
            b"/ws/",
            b"/ws/alice",
            b"/ws/..%2f..%2fetc",
            b"/ws/%00",
            b"/ws/" + b"a" * 5000,
            b"/healthz?" + b"a=1&" * 500,
            b"//evil.example/ws/alice",
            b"/%ff%fe",
            b"/api/v1/sign-in/ticket",
            b"/api/v1/matchmaking/preferences",
            b"/api/v1/announcements",
            b"/openapi.json",
            b"/sdk/..%2fpackage.json",
            b"/docs",
            b"*",
            b"http://x/",
            b"",
        )
    )
    headers = [b"Host: 127.0.0.1:%d" % port]
    key = base64.b64encode(random.randbytes(16))
    extra = (
        b"Content-Length: -1", b"Content-Length: 5\r\nContent-Length: 6", b"Transfer-Encoding: chunked\r\nContent-Length: 4",
        b"Content-Length: 99999999999999", b"Authorization: Bearer",
        b"Authorization: Bearer \xff\xfe", b"Authorization: Basic YTpi", b"Connection: Upgrade\r\nUpgrade: websocket",
        b"Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__",
        b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 99\r\nSec-WebSocket-Key: x", b"X: " + b"y" * 9000, b"X\x00Y: z",
        b"Expect: 100-continue", b"Content-Type: application/json",
        b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + key + b"\r\nSec-WebSocket-Protocol: " + b"a," * 300,
    )  # fmt: skip
    headers += random.sample(extra, random.randint(0, 3))
    random.shuffle(headers)
    body = random.choice((b"", b"{}", random.randbytes(50), b"[" * 2000, b"0\r\n\r\n"))
    return method + b" " + path + b" HTTP/1.1\r\n" + b"\r\n".join(headers) + b"\r\n\r\n" + body


def _encoded(part: object) -> str:
    raw_part = part if isinstance(part, bytes) else msgspec.json.encode(part)
    return base64.urlsafe_b64encode(raw_part).decode().rstrip("=")


Claims = Callable[[], dict[str, Any]]


def tokens(good: str, jwks: dict[str, Any], issuer: str, audience: str, player: str) -> Iterator[tuple[str, str]]:
    """Tokens that must not be accepted, each with its name.

    Args:
        good: one that is accepted; it is bent in many ways.
        jwks: the public keys, which everybody may know.
    """
    head, claims, signature = good.split(".")
    header, now = json.loads(base64.urlsafe_b64decode(head + "==")), int(time.time())
    usual = {"sub": player, "iss": issuer, "aud": audience, "iat": now, "exp": now + 600, "scope": "player admin server"}
    public = jwks["keys"][0]
    stranger = Ed25519PrivateKey.generate()

    def signed_by_stranger(headers: dict[str, Any], **changed: Any) -> str:
        merged = {name: value for name, value in (usual | changed).items() if value is not None}
        return jwt.PyJWS().encode(msgspec.json.encode(merged), stranger, algorithm="EdDSA", headers=headers)

    def hmac_signed(secret: bytes, algorithm: str = "HS256") -> str:
        signing = f"{_encoded({'alg': algorithm, 'typ': 'JWT', 'kid': header['kid']})}.{_encoded(usual)}"
        return f"{signing}.{_encoded(hmac.new(secret, signing.encode(), hashlib.sha256).digest())}"

    yield "empty", ""
    yield "one dot", "a.b"
    yield "four parts", good + ".x"
    yield "noise", "~" * 40
    yield "too long", good + "A" * 9000
    yield "no signature", f"{head}.{claims}."
    yield "signature cut", f"{head}.{claims}.{signature[:-4]}"
    yield "signature of zeros", f"{head}.{claims}.{'A' * len(signature)}"
    yield "claims changed", f"{head}.{_encoded(usual | {'sub': player, 'scope': 'admin'})}.{signature}"
    for none in ("none", "None", "NONE", "nOnE", ""):
        yield f"algorithm {none!r}", f"{_encoded({'alg': none, 'typ': 'JWT', 'kid': header['kid']})}.{_encoded(usual)}."
    yield "no algorithm", f"{_encoded({'typ': 'JWT', 'kid': header['kid']})}.{_encoded(usual)}.{signature}"
    yield "the public key as a shared secret", hmac_signed(public["x"].encode())
    yield "the public key's bytes as a shared secret", hmac_signed(base64.urlsafe_b64decode(public["x"] + "=="))
    yield "the JWKS as a shared secret", hmac_signed(json.dumps(jwks).encode())
    yield "an empty shared secret", hmac_signed(b"")
    yield "another algorithm's name", f"{_encoded({**header, 'alg': 'RS256'})}.{claims}.{signature}"
    yield (
        "another key of ours",
        f"{_encoded({**header, 'kid': jwks['keys'][-1]['kid']})}.{claims}.{signature}" if len(jwks["keys"]) > 1 else "x.y.z",
    )
    own = {"kty": "OKP", "crv": "Ed25519", "x": _encoded(stranger.public_key().public_bytes_raw()), "kid": header["kid"]}
    yield "a key of its own in the header", signed_by_stranger({"kid": header["kid"], "jwk": own})
    yield (
        "a key's address in the header",
        signed_by_stranger({"kid": header["kid"], "jku": "http://127.0.0.1:9/jwks.json", "x5u": "http://127.0.0.1:9/x"}),
    )
    for kid in ("../../dev/null", "/dev/null", "' UNION SELECT 'x", header["kid"] + "\x00", header["kid"].upper() + " ", "", "*"):
        yield f"kid {kid!r}", signed_by_stranger({"kid": kid})
    yield "no kid", signed_by_stranger({})
    for kid_value in (0, None, [], ["k"], {}, True):
        odd = _encoded({"alg": "EdDSA", "typ": "JWT", "kid": kid_value})
        yield f"kid of another type {kid_value!r}", f"{odd}.{claims}.{signature}"
    yield "critical header", signed_by_stranger({"kid": header["kid"], "crit": ["exp"], "exp": now})
    yield "not JSON inside", f"{head}.{_encoded(b'no json')}.{signature}"
    yield "deep JSON inside", f"{_encoded(b'[' * 3000)}.{claims}.{signature}"
    yield "encrypted", f"{_encoded({'alg': 'dir', 'enc': 'A256GCM'})}..{'A' * 16}.{'A' * 30}.{'A' * 22}"


def signed_tokens(sign: Callable[..., str], issuer: str, audience: str) -> Iterator[tuple[str, str]]:
    """Tokens with a good signature that must not be accepted; `sign(**claims)` makes one, None leaves a claim out."""
    now = int(time.time())
    cases: Sequence[tuple[str, dict[str, Any]]] = (
        ("expired", {"exp": now - 60}),
        ("expired long ago", {"exp": 1}),
        ("not yet valid", {"nbf": now + 600}),
        ("issued in the future", {"iat": now + 600}),
        ("expires never", {"exp": None}),
        ("expires as text", {"exp": "tomorrow"}),
        ("expires at infinity", {"exp": float("inf")}),
        ("expires at no number", {"exp": float("nan")}),
        ("issued at infinity", {"iat": float("inf")}),
        ("issued before all time", {"iat": -(10**400)}),
        ("another issuer", {"iss": "https://evil.example"}),
        ("issuers in a list", {"iss": [issuer, "https://evil.example"]}),
        ("issuer as an object", {"iss": {"x": issuer}}),
        ("a longer issuer", {"iss": issuer + "/"}),
        ("no issuer", {"iss": None}),
        ("another audience", {"aud": "another-service"}),
        ("other audiences", {"aud": ["another-service", audience + "-2"]}),
        ("audience as an object", {"aud": {"x": audience}}),
        ("no audience", {"aud": None}),
        ("no subject", {"sub": None}),
        ("subject of another type", {"sub": 7}),
        ("subject in a list", {"sub": ["alice"]}),
        ("empty subject", {"sub": ""}),
        ("subject with braces", {"sub": "al{i}ce"}),
        ("another player", {"sub": "mallory"}),
        ("no scope for players", {"scope": "server"}),
        ("scope of another type", {"scope": ["player"]}),
        ("scope as an object", {"scope": {"player": True}}),
    )
    for name, claims in cases:
        yield name, sign(**claims)


ORIGINS = (
    "null",
    "https://evil.example",
    "http://127.0.0.1.evil.example",
    "http://evil.example#127.0.0.1",
    "http://127.0.0.1:1",
    "http://user@127.0.0.1",
    "javascript:alert(1)",
    "https://good.example.evil.example",
    "https://good.example:444",
    "http://good.example",
    "https://GOOD.example.",
    "https://sub.good.example",
    "://",
    "file://",
)
