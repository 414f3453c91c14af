"""What a backend's own error becomes: one type for every way in which memory ends."""

from vidrt.errors import EngineError, OutOfMemoryError

# As onnxruntime, OpenVINO, the C and C++ libraries, CUDA, cuDNN, cuBLAS and TensorRT say it.
_SIGNS = (
    "bad_alloc", "bad allocation", "failed to allocate memory", "out of memory", "outofmemory", "out_of_memory",
    "alloc_failed", "cudaerrormemoryallocation", "smaller than requested bytes", "not enough memory",
    "unable to allocate", "cannot allocate memory",
)  # fmt: skip


def failure(sentence: str, error: Exception) -> EngineError:
    """The error to raise for a backend's: an `OutOfMemoryError` where it says so or is Python's own.

    Args:
        sentence: what failed and why.
        error: the backend's.
    """
    is_memory = isinstance(error, MemoryError | OutOfMemoryError) or tells_of_memory(str(error))
    return OutOfMemoryError(sentence) if is_memory else EngineError(sentence)


def tells_of_memory(text: str) -> bool:
    """Whether a backend's words say that memory has ended."""
    lowered = text.lower()
    return any(sign in lowered for sign in _SIGNS)
