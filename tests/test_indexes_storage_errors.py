import errno

import pytest

from indexes.storage.errors import (
    StorageError,
    StorageMissingError,
    describe,
    refuse_outage,
    telling,
)


class NoCredentialsError(Exception):
    """As botocore's, which is known by its name."""


@pytest.mark.parametrize(
    ("raised", "number", "said"),
    [
        (FileNotFoundError("bucket/some"), errno.ENOENT, "there is no such file or folder"),
        (FileNotFoundError("The bucket is not there"), errno.ENOENT, "The bucket is not there"),
        (PermissionError("Forbidden"), errno.EACCES, "see whether the credentials are right"),
        (NoCredentialsError("Unable"), errno.EIO, "no credentials are found"),
        (TimeoutError(), errno.EIO, "does not answer in time"),
        (ConnectionRefusedError(111, "no"), errno.ECONNREFUSED, "cannot be reached"),
        (ConnectionResetError(104, "no"), errno.ECONNRESET, "broke the connection off"),
        (OSError(errno.ENOSPC, "No space left"), errno.ENOSPC, "No space left"),
        (ValueError("odd\nlines"), errno.EIO, "odd lines"),
    ],
)
def test_all_that_clients_raise_becomes_one_line(raised, number, said):
    with pytest.raises(StorageError) as caught, telling("s3://bucket/some"):
        raise raised
    assert caught.value.errno == number
    assert said in str(caught.value)
    assert str(caught.value).startswith("s3://bucket/some: ")
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, FileNotFoundError) == isinstance(raised, FileNotFoundError)


@pytest.mark.parametrize(
    "said",
    [
        "GET https://me:hidden@host/x failed",
        "GET https://host/x?X-Amz-Signature=hidden&a=1",
        "GET https://host/x?sig=hidden failed",
        "header Authorization: Bearer hidden",
        "the key AKIAHIDDEN0123456789 is unknown",
    ],
)
def test_secrets_are_not_repeated(said):
    assert "hidden" not in describe(ValueError(said)).lower()


def test_what_the_server_said_is_what_is_told():
    said = "An error occurred (NoUser) when calling the PutObject operation (reached max): No user"
    assert describe(ValueError(said)) == "No user"


def test_long_words_are_cut():
    assert len(describe(ValueError("x" * 10_000))) < 300


def test_what_is_missing_is_no_outage():
    refuse_outage(StorageMissingError(errno.ENOENT, "gone", "s3://bucket/some"))
    refuse_outage(ValueError("broken"))
    with pytest.raises(StorageError):
        refuse_outage(StorageError(errno.EIO, "the server cannot be reached", "s3://bucket/some"))
