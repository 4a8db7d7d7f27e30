"""Stand-ins for tests: networks, servers, sources, data sets, each defined once."""

# jaxtyping imports the package of its checker and nothing below.
from fakes import type_checks as type_checks
