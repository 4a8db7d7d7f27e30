"""An SFTP server in this process, over a folder of this machine."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncssh

USER = "tester"
SECRET = "test-secret"


class _Visitors(asyncssh.SSHServer):
    """Lets in whoever knows the secret; `inside` are those that are there."""

    def __init__(self, inside: set[asyncssh.SSHServerConnection]) -> None:
        self._inside = inside

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._inside.add(conn)

    def begin_auth(self, username: str) -> bool:
        return True

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return (username, password) == (USER, SECRET)


@contextmanager
def sftp_server(root: Path) -> Iterator[str]:
    """What stands before a path in `root` in its address: a server that runs while the block does.

    What it serves is everything below `root`, as `/`.
    """
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    inside: set[asyncssh.SSHServerConnection] = set()

    async def listen() -> asyncssh.SSHAcceptor:
        return await asyncssh.listen(
            "127.0.0.1",
            0,
            server_factory=lambda: _Visitors(inside),
            server_host_keys=[asyncssh.generate_private_key("ssh-ed25519")],
            sftp_factory=lambda channel: asyncssh.SFTPServer(channel, chroot=str(root).encode()),
        )

    async def close(acceptor: asyncssh.SSHAcceptor) -> None:
        acceptor.close()
        for visitor in inside:
            visitor.abort()
            await visitor.wait_closed()
        await acceptor.wait_closed()

    acceptor = asyncio.run_coroutine_threadsafe(listen(), loop).result(20)
    try:
        yield f"sftp://127.0.0.1:{acceptor.get_port()}"
    finally:
        asyncio.run_coroutine_threadsafe(close(acceptor), loop).result(20)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(20)
        loop.close()


def sftp_environment(secret: str = SECRET) -> dict[str, str]:
    """The options with which a client of fsspec is let in."""
    options = {"username": USER, "password": secret, "look_for_keys": False, "allow_agent": False}
    return {"FSSPEC_SFTP": json.dumps(options)}
