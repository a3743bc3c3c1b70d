"""Makes the passwords and tokens that compose.yaml and k8s/ refer to, once, under .run/secrets."""

from __future__ import annotations

import hashlib
import secrets
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / ".run" / "secrets"
SECRET_BYTES = 24


def main(folder: Path = FOLDER) -> int:
    """0 when the secrets were made; 1 when some are there already, which stay as they are."""
    if folder.exists():
        print(f"{folder} is there already; move it away to make new secrets")
        return 1
    kubernetes = folder / "kubernetes"
    kubernetes.mkdir(parents=True, mode=0o700)
    token, password = secrets.token_hex(SECRET_BYTES), secrets.token_hex(SECRET_BYTES)
    hashes = f"gateway {hashlib.sha256(token.encode()).hexdigest()}\n"
    _write(folder / "compose.env", f"GRPC_TOKEN={token}\nPOSTGRES_PASSWORD={password}\n")
    _write(folder / "token-hashes", hashes, mode=0o644)  # read by the container's own user; it holds no token
    _write(kubernetes / "token-hashes", hashes)
    _write(kubernetes / "grpc-token", token)
    _write(kubernetes / "postgres-password", password)
    _write(kubernetes / "postgres", f"postgresql://xiangtong:{password}@postgres:5432/xiangtong")
    _write(kubernetes / "redis", "redis://redis:6379/0")
    print(f"made {folder}")
    print(f"kubernetes: kubectl -n xiangtong create secret generic xiangtong --from-file={kubernetes}")
    print(f"compose:    docker compose --env-file {folder / 'compose.env'} up --build")
    return 0


def _write(path: Path, text: str, *, mode: int = 0o600) -> None:
    path.touch(mode=mode)
    path.write_text(text)


if __name__ == "__main__":
    sys.exit(main())
