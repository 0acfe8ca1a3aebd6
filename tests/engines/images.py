"""Images for engines without a registry: tars of next to nothing, made here byte by byte."""

import io
import platform
import struct
import tarfile
from collections.abc import Callable

HELLO = b"""Hello from Docker!
This message shows that your engine runs containers: one static program wrote it.
"""
# Longer than a session of the tests may be idle before it ends.
NAP_SECONDS = 28
BASE = 0x400000
HEADERS = 64 + 56
# Machine code for data at that address.
Code = Callable[[int], bytes]


def hello_tar() -> bytes:
    """A root with one program, /hello, that writes HELLO and exits with 0.

    docker import --change 'CMD ["/hello"]' - hello-world
    """
    return _tar({"hello": _program(_hello_amd64, _hello_arm64, HELLO)}, {})


def nap_tar() -> bytes:
    """A root with one program, /nap, that says nothing for NAP_SECONDS and exits with 0.

    docker import - nap; a Dockerfile runs it with RUN ["/nap"].
    """
    return _tar({"nap": _program(_nap_amd64, _nap_arm64, struct.pack("<QQ", NAP_SECONDS, 0))}, {})


def tools_tar() -> bytes:
    """A root whose programs are the engine host's own, to be mounted at /usr."""
    links = {name: f"usr/{name}" for name in ("bin", "sbin", "lib", "lib32", "lib64", "libx32")}
    return _tar({"etc/nothing": b""}, links)


def _tar(files: dict[str, bytes], links: dict[str, str]) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o755
            tar.addfile(entry, io.BytesIO(content))
        for name, target in links.items():
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            tar.addfile(entry)
    return made.getvalue()


def _program(amd64: Code, arm64: Code, data: bytes) -> bytes:
    """A static ELF of one segment: the code, which is told where the data lies, then the data."""
    machine, code = (183, arm64) if platform.machine() == "aarch64" else (62, amd64)
    made = code(BASE + HEADERS + len(code(0)))
    size = HEADERS + len(made) + len(data)
    elf = struct.pack(
        "<16sHHIQQQIHHHHHH",
        b"\x7fELF\x02\x01\x01",
        2, machine, 1, BASE + HEADERS, 64, 0, 0, 64, 56, 1, 64, 0, 0,
    )  # fmt: skip
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, BASE, BASE, size, size, 0x1000)
    return elf + segment + made + data


def _hello_amd64(text: int) -> bytes:
    """write(1, text, length); exit(0)"""
    return b"".join((
        b"\xb8" + struct.pack("<I", 1),  # mov eax, write
        b"\xbf" + struct.pack("<I", 1),  # mov edi, 1
        b"\xbe" + struct.pack("<I", text),  # mov esi, text
        b"\xba" + struct.pack("<I", len(HELLO)),  # mov edx, length
        b"\x0f\x05",  # syscall
        EXIT_AMD64,
    ))  # fmt: skip


def _nap_amd64(length: int) -> bytes:
    """nanosleep(length, nothing); exit(0)"""
    return b"".join((
        b"\xb8" + struct.pack("<I", 35),  # mov eax, nanosleep
        b"\xbf" + struct.pack("<I", length),  # mov edi, length
        b"\x31\xf6",  # xor esi, esi
        b"\x0f\x05",  # syscall
        EXIT_AMD64,
    ))  # fmt: skip


EXIT_AMD64 = b"".join((
    b"\xb8" + struct.pack("<I", 60),  # mov eax, exit
    b"\x31\xff",  # xor edi, edi
    b"\x0f\x05",  # syscall
))  # fmt: skip


def _hello_arm64(text: int) -> bytes:
    return b"".join((
        _move(0, 1), *_address(1, text), _move(2, len(HELLO)), _move(8, 64), CALL_ARM64,
        EXIT_ARM64,
    ))  # fmt: skip


def _nap_arm64(length: int) -> bytes:
    return b"".join((*_address(0, length), _move(1, 0), _move(8, 101), CALL_ARM64, EXIT_ARM64))


def _address(register: int, value: int) -> tuple[bytes, bytes]:
    return _move(register, value), _move(register, value >> 16, half=1, keep=True)


def _move(register: int, value: int, half: int = 0, keep: bool = False) -> bytes:
    """movz, or movk with `keep`."""
    base = 0xF2800000 if keep else 0xD2800000
    return struct.pack("<I", base | half << 21 | (value & 0xFFFF) << 5 | register)


CALL_ARM64 = struct.pack("<I", 0xD4000001)
EXIT_ARM64 = _move(0, 0) + _move(8, 93) + CALL_ARM64
