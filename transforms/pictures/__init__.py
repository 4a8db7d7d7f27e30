"""Pictures as bytes and as arrays: decoding within limits, layout, masks."""
