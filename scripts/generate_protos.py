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
    types = [f"--mypy_out={out}", f"--mypy_grpc_out={out}"] if shutil.which("protoc-gen-mypy", path=_tool_path()) else []
    command = ["protoc", f"-I{root / 'protos'}", f"-I{files('grpc_tools') / '_proto'}", f"--python_out={out}", f"--grpc_python_out={out}"]
    if types:
        command += [f"--plugin=protoc-gen-mypy={shutil.which('protoc-gen-mypy', path=_tool_path())}"]
        command += [f"--plugin=protoc-gen-mypy_grpc={shutil.which('protoc-gen-mypy_grpc', path=_tool_path())}"]
    if protoc.main([*command, *types, *map(str, sources)]) != 0:
        sys.exit("protoc failed: see the lines above")
    for folder in {path.parent for path in out.rglob("*_pb2.py")}:
        while folder != out:
            (folder / "__init__.py").touch()
            folder = folder.parent
    stamp.write_text(names)
    return out


def _tool_path() -> str:
    return str(Path(sys.executable).parent)


if __name__ == "__main__":
    print(f"generated code: {generate().relative_to(ROOT)}/")
