"""Writes the Python code of protos/ to gen/: messages, gRPC stubs and their types."""

from __future__ import annotations

import shutil
import sys
from importlib.resources import files
from pathlib import Path

from grpc_tools import protoc

ROOT = Path(__file__).resolve().parent.parent


def generate(root: Path = ROOT) -> Path:
    """The folder of generated code, written anew when a proto is newer than it."""
    sources = sorted((root / "protos").rglob("*.proto"))
    out, stamp = root / "gen", root / "gen" / ".stamp"
    names = "\n".join(str(source.relative_to(root)) for source in sources)
    newest = max(source.stat().st_mtime for source in sources)
    if stamp.exists() and stamp.read_text() == names and stamp.stat().st_mtime > newest:
        return out
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    command = ["protoc", f"-I{root / 'protos'}", f"-I{files('grpc_tools') / '_proto'}"]
    command += [f"--python_out={out}", f"--grpc_python_out={out}", *_type_options(out)]
    if protoc.main([*command, *map(str, sources)]) != 0:
        sys.exit("protoc failed: see the lines above")
    for folder in {path.parent for path in out.rglob("*_pb2.py")}:
        for package in (folder, *folder.parents):
            if package == out:
                break
            (package / "__init__.py").touch()
    stamp.write_text(names)
    return out


def _type_options(out: Path) -> list[str]:
    """Types of the generated code, where mypy-protobuf is installed: a container image does without."""
    tools = {name: Path(sys.executable).parent / f"protoc-gen-{name}" for name in ("mypy", "mypy_grpc")}
    if not all(tool.exists() for tool in tools.values()):
        return []
    plugins = [f"--plugin=protoc-gen-{name}={tool}" for name, tool in tools.items()]
    return [*plugins, f"--mypy_out=quiet:{out}", f"--mypy_grpc_out=quiet:{out}"]


if __name__ == "__main__":
    print(f"generated code: {generate().relative_to(ROOT)}/")
