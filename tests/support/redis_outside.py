"""A Redis of one's own in a namespace of its own: TLS alone, by a private authority; the users of the production guide; and a Sentinel that knows it."""

import datetime
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from support.cluster import Manifest, Namespace, eventually
from support.redis_users import ROLES, acl_line, declared
from support.release import REDIS_IMAGE

PRIMARY: Final = "primary"  # the Sentinel's name for it
NAME: Final = "redis"
SECURITY: Manifest = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
TLS = """\
tls-cert-file /config/tls.crt
tls-key-file /config/tls.key
tls-ca-cert-file /config/ca.crt
tls-auth-clients no
protected-mode no
"""


class RedisOutside:
    """The server and its Sentinel, in one pod.

    Attributes:
        server, sentinel: host:port, as the whole cluster reaches them.
        authority: the certificate, as PEM, that vouches for both.
    """

    def __init__(self, namespace: Namespace) -> None:
        self._namespace = namespace
        self._host = f"{NAME}.{namespace.name}.svc"
        self.server, self.sentinel = f"{self._host}:6379", f"{self._host}:26379"
        self.authority, self._certificate, self._key = certificates(self._host)

    def start(self) -> None:
        """Start both, and wait until they answer."""
        self._namespace.apply(*self._manifests())
        self._namespace.kubectl("rollout", "status", f"deployment/{NAME}", "--timeout=120s")
        eventually("the Sentinel knows the primary", lambda: "flags\nmaster\n" in self._cli("26379", "sentinel", "master", PRIMARY))

    def _cli(self, port: str, *words: str) -> str:
        return self._namespace.kubectl(
            *("exec", f"deploy/{NAME}", "-c", "sentinel", "--"),
            *("redis-cli", "--tls", "--cacert", "/config/ca.crt", "-h", self._host, "-p", port, *words),
        )

    def clients(self) -> list[dict[str, str]]:
        """Who is connected, by Redis' own words, and over which kind of connection."""
        lines = self._cli("6379", "--user", "admin", "--pass", "admin", "--no-auth-warning", "client", "list").splitlines()
        return [dict(word.split("=", 1) for word in line.split(" ") if "=" in word) for line in lines]

    def _manifests(self) -> tuple[Manifest, ...]:
        files = {
            "ca.crt": self.authority,
            "tls.crt": self._certificate,
            "tls.key": self._key,
            "users.acl": "".join(f"{line}\n" for line in users()),
            "redis.conf": f"port 0\ntls-port 6379\n{TLS}aclfile /config/users.acl\ndir /data\nappendonly yes\nmaxmemory-policy noeviction\n",
            "sentinel.conf": self._sentinel_conf(),
        }
        labels = {"app": NAME}
        ports = [{"name": "redis", "port": 6379}, {"name": "sentinel", "port": 26379}]
        template = {"metadata": {"labels": labels}, "spec": _pod()}
        return (
            {"apiVersion": "v1", "kind": "Service", "metadata": {"name": NAME}, "spec": {"selector": labels, "ports": ports}},
            {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": NAME}, "stringData": files},
            {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": {"name": NAME},
                "spec": {"selector": {"matchLabels": labels}, "template": template},
            },
        )

    def _sentinel_conf(self) -> str:
        # By name, not by address: the certificate speaks of the name.
        return (
            f"port 0\ntls-port 26379\n{TLS}tls-replication yes\ndir /data\nsentinel resolve-hostnames yes\nsentinel announce-hostnames yes\n"
            f"sentinel monitor {PRIMARY} {self._host} 6379 1\nsentinel auth-user {PRIMARY} admin\nsentinel auth-pass {PRIMARY} admin\n"
        )


def users() -> list[str]:
    """The guide's users, each with its own name for a password, and an administrator."""
    return [f"user default {declared()['default']}", "user admin on >admin ~* &* +@all", *(acl_line(role, role) for role in ROLES)]


def _pod() -> Manifest:
    def container(name: str, port: int, command: str) -> Manifest:
        return {
            "name": name,
            "image": REDIS_IMAGE,
            "imagePullPolicy": "IfNotPresent",
            "command": ["sh", "-c", command],
            "ports": [{"containerPort": port}],
            "readinessProbe": {"tcpSocket": {"port": port}, "periodSeconds": 1},
            "securityContext": SECURITY,
            "volumeMounts": [{"name": "config", "mountPath": "/config"}, {"name": f"{name}-data", "mountPath": "/data"}],
        }

    return {
        "terminationGracePeriodSeconds": 1,
        "securityContext": {"runAsNonRoot": True, "runAsUser": 65532, "fsGroup": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [
            container("server", 6379, "exec redis-server /config/redis.conf"),
            # It writes what it learns into its configuration.
            container("sentinel", 26379, "cp /config/sentinel.conf /data && exec redis-server /data/sentinel.conf --sentinel"),
        ],
        "volumes": [
            {"name": "config", "secret": {"secretName": NAME}},
            {"name": "server-data", "emptyDir": {}},
            {"name": "sentinel-data", "emptyDir": {}},
        ],
    }


def certificates(host: str) -> tuple[str, str, str]:
    """A private authority's certificate, and a host's certificate and key."""
    authority, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a private authority")])
    root = _certificate(issuer, authority.public_key(), issuer).add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    signs = {"digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"}
    usage = x509.KeyUsage(**dict.fromkeys(signs, False), key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False)
    root = root.add_extension(usage, critical=True)
    root = root.add_extension(x509.SubjectKeyIdentifier.from_public_key(authority.public_key()), critical=False)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "redis")])
    leaf = _certificate(subject, key.public_key(), issuer).add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
    leaf = leaf.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key()), critical=False)
    made = (each.sign(authority, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode() for each in (root, leaf))
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return (*made, key.private_bytes(*form).decode())


def _certificate(subject: x509.Name, key: ec.EllipticCurvePublicKey, issuer: x509.Name) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return x509.CertificateBuilder(
        issuer, subject, key, x509.random_serial_number(), now - datetime.timedelta(hours=1), now + datetime.timedelta(days=1)
    )
