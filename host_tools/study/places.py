"""Where runs are played: in this process, in some processes of this machine, or on a Dask cluster.

Each place yields runs as they are complete, in any order. Leaving it early ends what is still being played.
"""

import asyncio
import multiprocessing
import signal
from collections.abc import Generator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool

from ..broker import die_with_parent
from .run import Content, Failure, Run, attempt, code_version

Done = Generator[tuple[Run, Content | Failure], None, None]
_ANSWER_S = 5
_CONNECT_S = 15
_DIED = Failure("its process was killed, perhaps for want of memory")


class PlaceError(ValueError):
    """A place cannot be used; the message says why."""


def here(runs: Sequence[Run], processes: int) -> Done:
    """On this machine."""
    if processes == 1:
        for run in runs:
            yield run, attempt(run)
        return
    before = set(multiprocessing.active_children())
    context = multiprocessing.get_context("spawn")  # a fork would copy the thread of the progress bar
    pool = ProcessPoolExecutor(min(processes, len(runs)), mp_context=context, initializer=_begin)
    try:
        futures = {pool.submit(attempt, run): run for run in runs}
        for future in as_completed(futures):
            try:
                yield futures[future], future.result()
            except BrokenProcessPool:  # it ends all that were waiting, too
                yield futures[future], _DIED
    except BaseException:
        for child in set(multiprocessing.active_children()) - before:
            child.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _begin() -> None:
    """Ctrl-C ends a process at once, without a traceback; and so does the end of the command."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    die_with_parent()


def on_cluster(runs: Sequence[Run], address: str) -> Done:
    """On the workers of a Dask scheduler. A run whose worker is lost is played by another one."""
    try:
        from distributed import Client
        from distributed import as_completed as completed
        from distributed.comm import connect
        from distributed.security import Security
    except ImportError:
        raise PlaceError("--cluster needs Dask: pip install 'microgrid-edge[cluster]'") from None

    async def ask() -> None:
        comm = await connect(address, timeout=_ANSWER_S, **Security().get_connection_args("client"))
        await comm.close()

    try:  # a client that finds nobody, or something else, would wait long, and again at its end
        asyncio.run(asyncio.wait_for(ask(), _ANSWER_S))
    except (OSError, ValueError, TypeError) as error:  # TypeError: TLS without certificates
        reason = str(error) if isinstance(error, ValueError | TypeError) else "no scheduler answers there"
        raise PlaceError(f"--cluster {address}: {reason}") from None
    try:
        client = Client(address, timeout=_CONNECT_S, set_as_default=False)
    except (OSError, ValueError) as error:
        raise PlaceError(f"--cluster {address}: {error}") from None
    with client:
        code = code_version()
        futures = {client.submit(_same_code, run, code, pure=False): run for run in runs}
        waiting = completed(list(futures), loop=client.loop)
        try:
            for future in waiting:
                run = futures.pop(future)  # the cluster forgets a result that nobody holds
                if future.cancelled():
                    yield run, Failure("the cluster was lost")
                elif future.status == "error":
                    yield run, Failure(str(future.exception()))
                else:
                    yield run, future.result()
        finally:
            client.cancel(list(futures))


def _same_code(run: Run, code: str) -> Content | Failure:
    if code_version() != code:
        return Failure(f"a worker has the code {code_version()}, not {code}", invalid=True)
    return attempt(run)
