"""A shared library for Linux on x86-64 whose functions all return 0, written without a compiler."""

import struct

_PAGE = 0x1000
_READ, _WRITE, _RUN = 4, 2, 1
_RETURN_0 = b"\x31\xc0\xc3"  # xor eax, eax; ret
_FUNCTION = 0x12  # STB_GLOBAL, STT_FUNC
_LOAD, _DYNAMIC, _STACK = 1, 2, 0x6474E551
_DT_HASH, _DT_STRTAB, _DT_SYMTAB, _DT_STRSZ, _DT_SYMENT, _DT_SONAME = 4, 5, 6, 10, 11, 14
_HEADERS = 64 + 4 * 56


def stub_library(soname, functions):
    """The bytes of an ELF file: headers, hash table, symbols, names and code in page 0, the dynamic section in page 1.

    The loader writes into the dynamic section and runs the code; some kernels refuse a page for both.
    """
    names = ["", soname, *functions]
    strings = b"".join(name.encode() + b"\0" for name in names)
    starts = [sum(len(name) + 1 for name in names[:index]) for index in range(len(names))]
    count = len(functions)
    # one bucket, in which each symbol names the next
    table = struct.pack(f"<{count + 4}I", 1, count + 1, 1, 0, *range(2, count + 1), 0)
    table += bytes(-len(table) % 8)
    symbols_at = _HEADERS + len(table)
    strings_at = symbols_at + 24 * (count + 1)
    code_at = strings_at + len(strings)
    symbols = bytes(24) + b"".join(
        struct.pack("<IBBHQQ", start, _FUNCTION, 0, 1, code_at, len(_RETURN_0)) for start in starts[2:]
    )
    text = table + symbols + strings + _RETURN_0
    dynamic = _pairs(
        (_DT_SONAME, starts[1]),
        (_DT_HASH, _HEADERS),
        (_DT_STRTAB, strings_at),
        (_DT_SYMTAB, symbols_at),
        (_DT_STRSZ, len(strings)),
        (_DT_SYMENT, 24),
        (0, 0),
    )
    segments = (
        _segment(_LOAD, _READ | _RUN, 0, _HEADERS + len(text)),
        _segment(_LOAD, _READ | _WRITE, _PAGE, len(dynamic)),
        _segment(_DYNAMIC, _READ | _WRITE, _PAGE, len(dynamic)),
        _segment(_STACK, _READ | _WRITE, 0, 0),
    )
    first = _header(len(segments)) + b"".join(segments) + text
    assert len(first) <= _PAGE
    return first.ljust(_PAGE, b"\0") + dynamic


def _header(segments):
    kind = b"\x7fELF" + bytes([2, 1, 1]) + bytes(9)  # 64 bits, little-endian
    shared, x86_64 = 3, 62
    return struct.pack("<16sHHIQQQIHHHHHH", kind, shared, x86_64, 1, 0, 64, 0, 0, 64, 56, segments, 0, 0, 0)


def _segment(kind, flags, at, size):
    return struct.pack("<IIQQQQQQ", kind, flags, at, at, at, size, size, _PAGE)


def _pairs(*pairs):
    return b"".join(struct.pack("<QQ", *pair) for pair in pairs)
