"""The words that all four packages share."""

from enum import StrEnum


class Family(StrEnum):
    """A family of video models."""

    LTX_VIDEO = "ltx-video"
    SVD = "svd"

    @property
    def spoken(self) -> str:
        """As people call it."""
        return {"ltx-video": "LTX-Video", "svd": "Stable Video Diffusion"}[self]


class Backend(StrEnum):
    """What plays an engine."""

    ONNXRUNTIME = "onnxruntime"
    TENSORRT = "tensorrt"
    TENSORRT_RTX = "tensorrt-rtx"
    OPENVINO = "openvino"

    @property
    def plays(self) -> "Backend":
        """Whose engines it plays: OpenVINO onnxruntime's graphs, each other backend its own."""
        return Backend.ONNXRUNTIME if self is Backend.OPENVINO else self


class Precision(StrEnum):
    """In which type an engine keeps its weights.

    onnxruntime computes in fp32 through casts; TensorRT in that type, but for the islands that its recipe names;
    OpenVINO in bf16 where weights are so and the CPU has instructions for it, else in fp32. In `INT8` the matrices of
    linear layers are whole numbers, and onnxruntime multiplies whole numbers. What a GGUF file has quantised stays in
    its blocks, and the engine's key names their types.
    """

    FP32 = "fp32"
    FP16 = "fp16"
    BF16 = "bf16"
    INT8 = "int8"
    GGUF = "gguf"


class Component(StrEnum):
    """A part of a model that becomes one engine."""

    TEXT_ENCODER = "text_encoder"
    TRANSFORMER = "transformer"
    IMAGE_ENCODER = "image_encoder"
    UNET = "unet"
    VAE_ENCODER = "vae_encoder"
    VAE_DECODER = "vae_decoder"
    LATENT_UPSAMPLER = "latent_upsampler"

    @property
    def spoken(self) -> str:
        """As a sentence has it: "VAE decoder"."""
        return self.replace("_", " ").replace("vae", "VAE").replace("unet", "UNet")


class Compat(StrEnum):
    """Whose conventions a run follows where the official code and diffusers differ."""

    OFFICIAL = "official"
    DIFFUSERS = "diffusers"


COMPONENTS: dict[Family, tuple[Component, ...]] = {
    Family.LTX_VIDEO: (
        Component.TEXT_ENCODER,
        Component.TRANSFORMER,
        Component.VAE_ENCODER,
        Component.LATENT_UPSAMPLER,
        Component.VAE_DECODER,
    ),
    Family.SVD: (
        Component.IMAGE_ENCODER,
        Component.VAE_ENCODER,
        Component.UNET,
        Component.VAE_DECODER,
    ),
}

# What a run can do without: a bundle may lack them. Only image- and video-to-video need LTX-Video's encoder, and only
# two passes its upsampler.
OPTIONAL: dict[Family, frozenset[Component]] = {
    Family.LTX_VIDEO: frozenset({Component.VAE_ENCODER, Component.LATENT_UPSAMPLER}),
    Family.SVD: frozenset(),
}
