"""No change at all: what every comparison of editors needs beside it."""
