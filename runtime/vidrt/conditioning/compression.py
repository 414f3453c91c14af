"""What a frame looks like after H.264."""

import io
from typing import Any

import numpy as np

from vidrt.arrays import ByteArray, FloatArray
from vidrt.errors import RequestError

_OPTIONS = {"crf": "29", "preset": "veryfast"}


def compressed(image: FloatArray) -> FloatArray:
    """Encodes a frame (H, W, 3) in [0, 1] as H.264 and decodes it again; an odd last row or column is cut off.

    Source: `crf_compressor.compress` of the official code.

    Raises:
        RequestError: the encoder does not take frames of this size.
    """
    import av

    height, width = (side // 2 * 2 for side in image.shape[:2])
    frame = (image[:height, :width] * np.float32(255)).astype(np.uint8)  # cut off, not rounded
    try:
        return _decoded(_encoded(frame)).astype(np.float32) / np.float32(255)
    except av.FFmpegError as error:
        raise RequestError(
            f"A frame of {width}×{height} cannot be compressed ({error.strerror}): give a smaller one."
        ) from error


def _encoded(frame: ByteArray) -> io.BytesIO:
    import av

    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream: Any = container.add_stream("libx264", rate=1, options=_OPTIONS)
        stream.height, stream.width = frame.shape[:2]
        picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24").reformat(format="yuv420p")
        container.mux(stream.encode(picture))
        container.mux(stream.encode())
    return io.BytesIO(file.getvalue())


def _decoded(file: io.BytesIO) -> ByteArray:
    import av

    with av.open(file) as container:
        frame: ByteArray = next(container.decode(video=0)).to_ndarray(format="rgb24")
    return frame
