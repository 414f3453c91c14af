"""The transformer's parts that its authors call otherwise than diffusers, whose names are ours too."""

TRANSFORMER_PARTS = {
    "patchify_proj": "proj_in",
    "adaln_single": "time_embed",
    "q_norm": "norm_q",
    "k_norm": "norm_k",
}
