"""Images for engines without a registry: tars of next to nothing, made here byte by byte."""

import io
import platform
import struct
import tarfile

HELLO = b"""Hello from Docker!
This message shows that your engine runs containers: one static program wrote it.
"""
BASE = 0x400000
HEADERS = 64 + 56


def hello_tar() -> bytes:
    """A root with one program, /hello, that writes HELLO and exits with 0.

    docker import --change 'CMD ["/hello"]' - hello-world
    """
    return _tar({"hello": _hello_program()}, {})


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


def _hello_program() -> bytes:
    """A static ELF of one segment: write(1, HELLO, length); exit(0)."""
    machine, code = _arm64() if platform.machine() == "aarch64" else _amd64()
    size = HEADERS + len(code) + len(HELLO)
    elf = struct.pack(
        "<16sHHIQQQIHHHHHH",
        b"\x7fELF\x02\x01\x01",
        2, machine, 1, BASE + HEADERS, 64, 0, 0, 64, 56, 1, 64, 0, 0,
    )  # fmt: skip
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, BASE, BASE, size, size, 0x1000)
    return elf + segment + code + HELLO


def _amd64() -> tuple[int, bytes]:
    def code(text: int) -> bytes:
        return b"".join((
            b"\xb8" + struct.pack("<I", 1),  # mov eax, write
            b"\xbf" + struct.pack("<I", 1),  # mov edi, 1
            b"\xbe" + struct.pack("<I", text),  # mov esi, text
            b"\xba" + struct.pack("<I", len(HELLO)),  # mov edx, length
            b"\x0f\x05",  # syscall
            b"\xb8" + struct.pack("<I", 60),  # mov eax, exit
            b"\x31\xff",  # xor edi, edi
            b"\x0f\x05",  # syscall
        ))  # fmt: skip

    return 62, code(BASE + HEADERS + len(code(0)))


def _arm64() -> tuple[int, bytes]:
    def move(register: int, value: int, half: int = 0, keep: bool = False) -> bytes:
        """movz, or movk with `keep`."""
        base = 0xF2800000 if keep else 0xD2800000
        return struct.pack("<I", base | half << 21 | (value & 0xFFFF) << 5 | register)

    call = struct.pack("<I", 0xD4000001)

    def code(text: int) -> bytes:
        return b"".join((
            move(0, 1),
            move(1, text), move(1, text >> 16, half=1, keep=True),
            move(2, len(HELLO)),
            move(8, 64), call,
            move(0, 0),
            move(8, 93), call,
        ))  # fmt: skip

    return 183, code(BASE + HEADERS + len(code(0)))
