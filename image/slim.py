"""Makes an installed environment small, while the image is built: run by that environment's own Python, with nothing but the standard library.

    python slim.py PACKAGE...    packages of ours; what their modules import is what runs

1. Tests, headers, stubs and source maps go.
2. Of `PRUNED` libraries only the modules that ours import stay: they carry hundreds for others' needs.
3. Shared libraries lose what the loader never reads: symbol tables and debug sections, which lie behind the last loaded segment, and the section table itself.
4. Bytecode is compiled for what runs, and without a check of the source's time: files never change in an image. The rest is compiled in memory, should it ever
   be imported.

At the end everything is imported once more, from what is left.
"""

import importlib
import pkgutil
import py_compile
import shutil
import struct
import subprocess
import sys
import sysconfig
from pathlib import Path

SITE = Path(sysconfig.get_path("purelib"))
USELESS_FOLDERS = {"tests", "include", "f2py", "__pycache__"}
USELESS_SUFFIXES = {".pyi", ".pyx", ".pxd", ".a", ".map", ".c", ".h"}
PRUNED = ("grafana_foundation_sdk", "pygments.lexers", "pygments.styles", "pygments.formatters")
LAZY = (
    "numpy",
    "numpy.random",
    "httpx",
    "httpx_auth",
    "opentelemetry.sdk.trace.export",
    "opentelemetry.exporter.otlp.proto.http.trace_exporter",
    "rich.progress",
    "rich.table",
)


def remove_useless() -> None:
    """Files that nothing that runs reads."""
    for path in sorted(SITE.rglob("*"), reverse=True):
        if path.is_dir() and path.name in USELESS_FOLDERS:
            shutil.rmtree(path)
        elif path.is_file() and (path.suffix in USELESS_SUFFIXES or path.name.startswith("swagger-ui-es-")):
            path.unlink()


def load(packages: list[str]) -> set[Path]:
    """Import every module of these packages, and the libraries that they import late; the files of all that is loaded then."""
    for name in packages:
        package = importlib.import_module(name)
        for module in pkgutil.walk_packages(package.__path__, f"{name}."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    for name in LAZY:
        importlib.import_module(name)
    files = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
    return {Path(file) for file in files if file and file.endswith(".py")}


def prune(loaded: set[Path]) -> None:
    """Of large libraries only what is loaded."""
    for name in PRUNED:
        folder = SITE.joinpath(*name.split("."))
        for file in folder.rglob("*.py"):
            if file not in loaded and file.name not in {"__init__.py", "_mapping.py"}:
                file.unlink()


def strip(file: Path) -> None:
    """Cut a 64-bit little-endian ELF file behind its last loaded byte."""
    data = bytearray(file.read_bytes())
    if data[:6] != b"\x7fELF\x02\x01":
        return
    offset, size, count = struct.unpack_from("<Q", data, 32)[0], *struct.unpack_from("<HH", data, 54)
    end = offset + size * count
    for i in range(count):
        start, length = struct.unpack_from("<Q", data, offset + i * size + 8)[0], struct.unpack_from("<Q", data, offset + i * size + 32)[0]
        end = max(end, start + length)
    struct.pack_into("<Q", data, 40, 0)  # where the section table is: nowhere
    struct.pack_into("<HH", data, 60, 0, 0)  # how many sections, and which one names them
    file.write_bytes(data[:end])


def main(packages: list[str]) -> None:
    """All four steps."""
    remove_useless()
    loaded = load(packages)
    prune(loaded)
    for file in {*SITE.rglob("*.so"), *SITE.rglob("*.so.*")}:
        strip(file)
    for file in loaded:
        py_compile.compile(str(file), invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH, doraise=True)
    again = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import slim; slim.load({packages!r})"
    subprocess.run([sys.executable, "-B", "-c", again], check=True)  # noqa: S603 - our own words


if __name__ == "__main__":
    main(sys.argv[1:])
