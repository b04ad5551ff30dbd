"""Memory allocation of a training process on a CPU: keep what a step frees, since the next step needs the same again.

By default glibc returns large arrays to the system as soon as they are freed. Each step then requests gigabytes anew, page by
page, and the system zeroes each page first, which took 3 to 5 % of a step. Peak memory is the same either way.
"""

import ctypes
import sys

# Parameters of mallopt(3), from glibc's malloc.h.
_M_TRIM_THRESHOLD = -1
_M_MMAP_MAX = -4
_NEVER = 2**31 - 1  # the largest int: never return the end of the heap


def keep_freed_memory() -> bool:
    """Make this process keep freed memory for as long as it lives. Returns whether it will: only glibc has the setting."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:  # another C library, such as musl
        return False
    return bool(mallopt(_M_MMAP_MAX, 0)) and bool(mallopt(_M_TRIM_THRESHOLD, _NEVER))
