"""Engines that TensorRT for RTX really compiles: it needs no GPU for that."""

import io

import pytest
import tiny_bundles
from traces import patch_tracing


@pytest.fixture(scope="session")
def rtx_bundles(fused_checkpoint, traces, tmp_path_factory):
    """A function of precision: the bundle of a checkpoint whose attentions are fused, and what its build told."""
    root, told = tmp_path_factory.mktemp("rtx"), {}

    def bundle(precision):
        if precision not in told:
            told[precision] = io.StringIO()
            # bf16 is compared with fp32 at every shape; for fp16 other tests do that
            options = tiny_bundles.roughly() if precision == "bf16" else tiny_bundles.unchecked()
            with pytest.MonkeyPatch.context() as patch:
                patch_tracing(patch, traces)
                for component in tiny_bundles.COMPONENTS:  # one by one: by its own name T5 is built in fp16 too
                    tiny_bundles.build(
                        fused_checkpoint, root / precision, said=told[precision], precision=precision,
                        components=(component,), backends=(tiny_bundles.RTX,), options=options,
                    )  # fmt: skip
        return root / precision, told[precision].getvalue()

    return bundle
