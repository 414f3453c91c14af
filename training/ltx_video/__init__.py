"""A tiny LTX-Video of the 0.9.5 form, trained on drawn clips."""
