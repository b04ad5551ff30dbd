"""Memory of a training process on a CPU: what a step frees stays with the process, for the next step asks for the same again.

glibc gives arrays above some size back to the system at once. Each step then takes gigabytes anew, page by page, and the system
fills each page with zeros first: 3 to 5 of 100 seconds of a step went there. Memory at the peak is the same, as each step
reaches it.
"""

import ctypes
import sys

# Parameters of mallopt(3), from malloc.h of glibc.
_M_TRIM_THRESHOLD = -1
_M_MMAP_MAX = -4
_NEVER = 2**31 - 1  # the greatest int: give nothing back from the end of the heap


def keep_freed_memory() -> bool:
    """Let this process keep what it frees, for as long as it lives. Returns whether it will: only glibc can be told so."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:  # another C library, such as musl
        return False
    return bool(mallopt(_M_MMAP_MAX, 0)) and bool(mallopt(_M_TRIM_THRESHOLD, _NEVER))
