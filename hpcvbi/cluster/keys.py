"""Keys for mutual TLS, made for one run and removed after it.

Whoever reaches a plain scheduler, worker or nanny runs code with its owner's rights; so every
connection needs this run's certificate on both sides. Workers on other nodes read it from a folder
that only its owner can enter.
"""

import shutil
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from distributed import Security

from hpcvbi.store.durable import make_directory, private

VALID_BEFORE, VALID_AFTER = timedelta(days=2), timedelta(days=365)
"""How far the clocks of nodes may be apart, and how long a run may take."""
_FOLDER = ".cluster-"


@dataclass(frozen=True)
class Keys:
    """Certificate and key as files in `folder`; the certificate is its own authority."""

    folder: Path

    @property
    def certificate(self) -> Path:
        """Where the certificate lies."""
        return self.folder / "certificate.pem"

    @property
    def key(self) -> Path:
        """Where the private key lies."""
        return self.folder / "key.pem"

    @property
    def security(self) -> Security:
        """What Dask's scheduler, workers and client are made with."""
        return _security(str(self.certificate), str(self.key))

    def remove(self) -> None:
        """Delete the files: nobody joins this run any more."""
        shutil.rmtree(self.folder, ignore_errors=True)


def keys_in(output: Path) -> Keys:
    """Make keys in a folder of their own inside `output`, and remove those of runs that died;
    only for whoever holds the lock of `output`.
    """
    for left in output.glob(f"{_FOLDER}*"):
        Keys(left).remove()
    keys = Keys(output / f"{_FOLDER}{uuid.uuid4().hex}")
    make_directory(keys.folder)
    certificate, key = _certificate()
    for path, text in ((keys.certificate, certificate), (keys.key, key)):
        with open(path, "x", opener=private) as file:
            file.write(text)
    return keys


def keys_in_memory() -> Security:
    """Return what this machine's processes need, without any file."""
    return _security(*_certificate())


def _security(certificate: str, key: str) -> Security:
    """Take paths or, of keys in memory, texts."""
    roles = ("client", "scheduler", "worker")
    pairs = {f"tls_{role}_cert": certificate for role in roles} | {
        f"tls_{role}_key": key for role in roles
    }
    return Security(require_encryption=True, tls_ca_file=certificate, **pairs)


def _certificate() -> tuple[str, str]:
    """Return a self-signed certificate and its key, as PEM texts."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hpcvbi")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - VALID_BEFORE)
        .not_valid_after(now + VALID_AFTER)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    text = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return signed.public_bytes(serialization.Encoding.PEM).decode(), text.decode()
