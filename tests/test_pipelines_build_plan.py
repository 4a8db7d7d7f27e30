"""What a build may choose."""

import pytest

from pipelines.build.plan import BuildOptions
from transforms.rewrite import RewriteOptions


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"captions": "mine"}, "captions must be model or source, got 'mine'"),
        ({"edits": 0}, "edits must be at least 1, got 0"),
        ({"edits": 3, "rewrite": RewriteOptions(edits=2)}, "attempts must be at least edits"),
    ],
)
def test_bad_options(settings, message):
    with pytest.raises(ValueError, match=message):
        BuildOptions(**settings)
