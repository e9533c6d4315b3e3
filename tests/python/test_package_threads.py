"""One state, one thread: the second one is told.  Models serve all, and Python goes on meanwhile."""

import threading
import time

import numpy as np
import pytest

import krait
from conftest import MODELS

TOKENS = np.random.default_rng(3).integers(0, 256, 4000).astype(np.int32)


def start(work):
    """A thread whose exception comes back from join()."""
    raised = []

    def run():
        try:
            work()
        except BaseException as why:
            raised.append(why)
    thread = threading.Thread(target=run)
    thread.start()

    def join():
        thread.join()
        if raised:
            raise raised[0]
    return join


@pytest.fixture
def running(novels):
    """A state that another thread is running until the test says stop."""
    state = novels.state(chunk=1)
    begun, stop = threading.Event(), threading.Event()

    def tick(done, total):
        begun.set()
        return stop.is_set()

    def work():
        with pytest.raises(krait.CancelledError):
            while True:
                state.run(TOKENS, rows="none", progress=tick)
    join = start(work)
    assert begun.wait(30)
    yield state, novels
    stop.set()
    join()


def test_busy(running):
    state, model = running
    other = model.state()
    for use in (lambda: state.step(65), lambda: state.run([65]), lambda: state.save(), lambda: state.hash(),
                lambda: state.reset(), lambda: state.copy(), lambda: state.close(), lambda: state.load(b""),
                lambda: state.copy_from(other), lambda: other.copy_from(state), lambda: state.bind(model),
                lambda: state.parts["layers.0.mixer.ssm"][0],
                lambda: state.stepper(np.zeros((), np.int32), np.zeros(256, np.float32))()):
        with pytest.raises(krait.BusyError):
            use()
    assert not state.closed and len(state.data) == 389120
    other.step(65)                                  # another one of the same model


def test_free_after_an_error(novels):
    state = novels.state()
    for _ in range(3):
        with pytest.raises((TypeError, ValueError)):
            state.step("nothing")
        with pytest.raises((TypeError, ValueError)):
            state.run([256])
        state.step(65)


def test_two_threads_never_race(novels):
    """Every step is done or refused: as many as were done are remembered, none torn."""
    state = novels.state()
    done, refused = [0, 0], [0, 0]

    def work(i):
        def run():
            until = time.monotonic() + 1.5
            while time.monotonic() < until:
                try:
                    state.step(65)
                    done[i] += 1
                except krait.BusyError:
                    refused[i] += 1
        return run
    joins = [start(work(i)) for i in range(2)]
    for join in joins:
        join()
    assert sum(refused) > 0 and sum(done) > 0
    wanted = novels.state()
    wanted.run([65] * sum(done), rows="none")
    assert state.hash() == wanted.hash()


def test_states_of_one_model(novels):
    wanted = novels.state().run(TOKENS[:300]).tobytes()
    found = [b""] * 4

    def work(i):
        def run():
            state = novels.state()
            for _ in range(3):
                found[i] = state.run(TOKENS[:300], reset=True).tobytes()
            assert list(novels.generate("It", tokens=5))
        return run
    for join in [start(work(i)) for i in range(4)]:
        join()
    assert found == [wanted] * 4


def test_closing_a_model_in_use():
    """A model that is closed while others run it goes when they have done."""
    model = krait.Model(MODELS / "mamba-novels.gguf")
    wanted = model.state().run(TOKENS[:300]).tobytes()
    begun = threading.Event()
    found = []

    def work():
        state = model.state()
        found.append(state.run(TOKENS[:300], progress=lambda *now: begun.set()).tobytes())
        found.append(state.run(TOKENS[:300], reset=True).tobytes())
    join = start(work)
    assert begun.wait(30)
    model.close()
    join()
    assert found == [wanted] * 2


def test_the_interpreter_goes_on(novels):
    """Another thread counts while krait runs: with the lock held, it would stand still."""
    state = novels.state(chunk=64)
    counts, stop = [0], threading.Event()

    def count():
        while not stop.is_set():
            counts[0] += 1
            time.sleep(0)
    join = start(count)
    state.run(TOKENS[:64], rows="none")
    long = np.tile(TOKENS, 2)
    before = counts[0]
    began = time.perf_counter()
    state.run(long, rows="none")                    # one call
    took = time.perf_counter() - began
    during = counts[0] - before
    stop.set()
    join()
    assert took > 0.1 and during > 100, (took, during)
