"""Turns a diffusers folder into what openvino-genai plays, as `optimum-cli export openvino --weight-format fp16` would.

    GENAI_PYTHON peers_genai_export.py CHECKPOINT FOLDER

Runs in an environment of optimum-intel's. The command itself traces the VAE on a video of 2048x2048, for which it takes
more than ten minutes and 11 GB here: this traces it on 128x128, which gives the same graph, since its sizes are free.
"""

import sys
from pathlib import Path

from optimum.exporters.openvino import main_export
from optimum.exporters.openvino.input_generators import LTXVaeDummyInputGenerator
from optimum.exporters.openvino.model_configs import LTXVaeDecoderOpenVINOConfig, LTXVaeEncoderOpenVINOConfig
from optimum.intel.openvino.configuration import OVConfig


class Small(LTXVaeDummyInputGenerator):
    """Inputs of one small video."""

    def __init__(self, *args: object, **sizes: object) -> None:
        super().__init__(*args, **sizes)
        self.batch_size = 1
        self.height = self.width = 128

    def generate(self, input_name: str, *args: object, **kwargs: object) -> object:
        if input_name == "latent_sample":
            self.height = self.width = 4
        return super().generate(input_name, *args, **kwargs)


if __name__ == "__main__":
    for config in (LTXVaeDecoderOpenVINOConfig, LTXVaeEncoderOpenVINOConfig):
        config.DUMMY_INPUT_GENERATOR_CLASSES = (Small,)
    main_export(
        sys.argv[1], Path(sys.argv[2]), task="text-to-video", ov_config=OVConfig(dtype="fp16"), convert_tokenizer=True
    )
