"""Where pictures come from: one adapter a file, each a `transforms.protocols.Source`."""
