"""Fixed records of a zip file, and what both its writer and its reader demand of a name."""

from __future__ import annotations

import struct

__all__ = [
    "CENTRAL",
    "CENTRAL_SIGNATURE",
    "DATE_1980",
    "END",
    "END64",
    "END64_SIGNATURE",
    "END_SIGNATURE",
    "FLAGS_REFUSED",
    "FLAG_LATE_SIZES",
    "FLAG_UTF8",
    "LOCAL",
    "LOCAL_SIGNATURE",
    "LOCATOR",
    "LOCATOR_SIGNATURE",
    "MADE_BY_UNIX",
    "MARK16",
    "MARK32",
    "MODE",
    "MODES_ALLOWED",
    "PLAIN",
    "ZIP64",
    "name_fault",
]

LOCAL = struct.Struct("<4s5H3L2H")
CENTRAL = struct.Struct("<4s6H3L5H2L")
END = struct.Struct("<4s4H2LH")
END64 = struct.Struct("<4sQ2H2L4Q")
LOCATOR = struct.Struct("<4sLQL")
LOCAL_SIGNATURE, CENTRAL_SIGNATURE = b"PK\x03\x04", b"PK\x01\x02"
END_SIGNATURE, END64_SIGNATURE, LOCATOR_SIGNATURE = b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07"
DATE_1980 = (1 << 5) | 1
FLAG_UTF8 = 1 << 11
# Sizes and CRC-32 stand behind the data, zeros before them.
FLAG_LATE_SIZES = 1 << 3
# Bit 0: encrypted; 5: patch data; 6: strongly encrypted; 13: directory masked.
FLAGS_REFUSED = 0b10_0000_0110_0001
MADE_BY_UNIX = 3 << 8
MODE = 0o100644 << 16
# Kinds of file that a member may be: not stated, a folder, a plain file.
MODES_ALLOWED = frozenset({0, 0o040000, 0o100000})
PLAIN, ZIP64 = 20, 45
MARK16, MARK32 = 0xFFFF, 0xFFFFFFFF


def name_fault(name: str) -> str:
    """
    What is wrong with a member's name; empty if nothing is.

    Examples
    --------
    >>> name_fault("m_gluino/c/0")
    ''
    >>> name_fault("../passwd")
    "bad name, allowed relative paths without '.', '..' or empty parts"
    """
    if not name or "\\" in name or name[1:2] == ":":
        return "bad name, allowed relative paths with '/'"
    if any(ord(letter) < 32 or ord(letter) == 127 for letter in name):
        return "bad name, allowed no control characters"
    if any(part in ("", ".", "..") for part in name.split("/")):
        return "bad name, allowed relative paths without '.', '..' or empty parts"
    if len(name.encode()) > MARK16:
        return f"name longer than {MARK16} bytes"
    return ""
