"""A real plan of TensorRT for RTX, of a network that does next to nothing; building it needs no GPU."""


def build_plan() -> bytes:
    """Build the network y = relu(x) for x (1..4, 16)."""
    import tensorrt_rtx as trt

    # the process's logger outlives this function, as TensorRT asks
    from vidrt.sessions.tensorrt_library import logger

    builder = trt.Builder(logger(trt))
    network = builder.create_network(0)
    relu = network.add_activation(network.add_input("x", trt.float16, (-1, 16)), trt.ActivationType.RELU)
    relu.get_output(0).name = "y"
    network.mark_output(relu.get_output(0))
    config, profile = builder.create_builder_config(), builder.create_optimization_profile()
    profile.set_shape("x", (1, 16), (2, 16), (4, 16))
    config.add_optimization_profile(profile)
    return bytes(builder.build_serialized_network(network, config))
