"""What commands say to a person and to a script, and the flags that several of them read."""
