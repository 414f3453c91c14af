"""The platform that engines are built for."""

import platform
import sys

_SYSTEMS = {"win32": "windows", "darwin": "macos"}
_MACHINES = {"amd64": "x86_64", "x64": "x86_64", "arm64": "aarch64"}


def platform_name() -> str:
    """This machine's operating system and processor, such as "linux-x86_64", spelt the same on every system."""
    machine = platform.machine().lower()
    return f"{_SYSTEMS.get(sys.platform, sys.platform)}-{_MACHINES.get(machine, machine)}"
