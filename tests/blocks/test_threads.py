"""A head in eval mode called by many threads: cold, with mixed dtypes, while weights are swapped, across forks."""

from __future__ import annotations

import copy
import multiprocessing
import os
import pickle
import sys
import threading

import pennylane as qml
import pytest
import torch

from hybrid_qproj import QuantumProjection
from hybrid_qproj.blocks.cache import SETS_KEPT, ResponseCache
from hybrid_qproj.blocks.threads import circuits_locked, weights_locked
from hybrid_qproj.devices import DeviceUnavailableError
from hybrid_qproj.heads.coherent import CoherentProjection

THREADS = 8
D, K = 3, 1
"""Two stages of one block."""


@pytest.fixture(autouse=True)
def switch_often():
    """Threads change many times a millisecond, so that what can go wrong between two lines does."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def together(work, threads=THREADS):
    """Results of ``work(number)``, started at the same moment; the first error is raised."""
    barrier, found, errors = threading.Barrier(threads), [None] * threads, []

    def run(number):
        barrier.wait()
        try:
            found[number] = work(number)
        except BaseException as error:
            errors.append(error)

    running = [threading.Thread(target=run, args=(number,), daemon=True) for number in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join(timeout=120)
        assert not thread.is_alive(), "a thread waits for ever"
    if errors:
        raise errors[0]
    return found


def build(device="default.qubit", cls=QuantumProjection, seed=0, circuit="u_cu", **options):
    generator = torch.Generator().manual_seed(seed)
    return cls(D, K, circuit, device, init="random", generator=generator, **options).eval()


def expected(head, x):
    """By a head of its own, in double precision, in this thread."""
    fresh = type(head)(D, K, head.circuit)
    fresh.load_state_dict(head.state_dict())
    with torch.no_grad():
        return fresh.double().eval()(x.double())


def check_cold(device, cls=QuantumProjection, rounds=1, circuit="u_cu"):
    for seed in range(rounds):
        head = build(device, cls, seed, circuit)
        x = torch.randn(3, D, generator=torch.Generator().manual_seed(seed))
        want = expected(head, x)
        for number, found in enumerate(together(lambda i, h=head, x=x: h(x.double() if i % 2 else x).detach())):
            torch.testing.assert_close(found.double(), want, atol=1e-4, rtol=0)
            assert found.dtype == (torch.float64 if number % 2 else torch.float32)


@pytest.mark.parametrize("cls", [QuantumProjection, CoherentProjection])
@pytest.mark.parametrize("device", ["default.qubit", "lightning.qubit", "default.mixed"])
def test_cold(device, cls):
    """Nobody has built the device yet, and half of the threads want double precision."""
    check_cold(device, cls, rounds=3 if device == "default.qubit" else 1, circuit="rotor")


@pytest.mark.parametrize("device", ["default.qubit", "lightning.qubit"])
def test_cold_in_direct_mode(device):
    """A circuit for each embedding, in every thread."""
    check_cold(f"{device}?mode=direct", rounds=2)


@pytest.mark.slow
@pytest.mark.parametrize(
    "device",
    ["lightning.kokkos", "qiskit.aer?backend=aer_simulator_statevector", "cirq.simulator", "cirq.mixedsimulator",
     "braket.local.qubit"],
)  # fmt: skip
def test_cold_elsewhere(device):
    """The other local simulators."""
    try:
        _ = build(device).executor.device
    except DeviceUnavailableError as error:
        pytest.skip(str(error))
    check_cold(device, circuit="rotor", rounds=2)


def test_two_heads_on_two_devices():
    """What PennyLane records for one must not reach the other."""
    heads = [build("lightning.qubit", seed=1, circuit="rotor"), build("default.mixed", seed=2, circuit="rotor")]
    x = torch.randn(3, D)
    want = [expected(head, x) for head in heads]
    for number, found in enumerate(together(lambda i: heads[i % 2](x).detach())):
        torch.testing.assert_close(found.double(), want[number % 2], atol=1e-5, rtol=0)


def test_one_thread_measures():
    """Eight callers want the same responses, and one set of circuits runs."""
    head = build("lightning.qubit", circuit="rotor")
    with qml.Tracker(head.executor.device) as tracker:
        together(lambda _: head(torch.zeros(1, D)))
    assert tracker.totals["executions"] == 9 * head.plan.blocks


@pytest.mark.parametrize("cls", [QuantumProjection, CoherentProjection])
def test_after_a_swap(cls):
    """Old weights are gone once they are replaced: no call that begins later gets their output."""
    head, x = build(cls=cls), torch.randn(2, D)
    others = [build(cls=cls, seed=seed) for seed in range(1, 16)]
    answers = [expected(other, x) for other in others]
    head(x)
    for other, want in zip(others, answers, strict=True):
        head.load_state_dict(other.state_dict())
        for found in together(lambda i: head(x.double() if i % 2 else x).detach()):
            torch.testing.assert_close(found.double(), want, atol=1e-4, rtol=0)


def by_hand(head, state):
    with weights_locked(), torch.no_grad():
        for name, parameter in head.named_parameters():
            parameter.copy_(state[name])


WAYS = {
    "load_state_dict": lambda head, state: head.load_state_dict(state),
    "assign": lambda head, state: head.load_state_dict({k: v.clone() for k, v in state.items()}, assign=True),
    "a model around it": lambda head, state: torch.nn.Sequential(torch.nn.Identity(), head).load_state_dict(
        {f"1.{k}": v for k, v in state.items()}
    ),
    "by hand": by_hand,
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("mode", ["interpolated", "direct"])
def test_swaps_meanwhile(way, mode):
    """While weights and scale are replaced, each output is that of all the old or all the new ones."""
    head = build(f"default.qubit?mode={mode}", scale=1.0, normalize=True, circuit="rotor")
    x = torch.randn(2, D)
    states, answers = [], []
    for seed in range(3):
        other = build(seed=seed, scale=0.5 + seed, normalize=True, circuit="rotor")
        states.append(copy.deepcopy(other.state_dict()))
        with torch.no_grad():
            answers.append(other(x))
    WAYS[way](head, states[0])
    stop, callers = threading.Event(), THREADS - 1

    def work(number):
        if number == callers:
            try:
                for turn in range(60 if mode == "interpolated" else 15):
                    WAYS[way](head, states[turn % 3])
            finally:
                stop.set()
            return []
        found = []
        while not stop.is_set() and len(found) < 300:
            with torch.no_grad():
                found.append(head(x))
        return found

    for outputs in together(work):
        for found in outputs:
            assert min((found - answer).abs().max().item() for answer in answers) < 1e-5


def test_moved_to_another_device_meanwhile():
    """The same weights give the same angles, whichever device a call began with."""
    head, x = build(circuit="rotor"), torch.randn(2, D)
    want = expected(head, x)

    def work(number):
        if number:
            return [head(x).detach() for _ in range(10)]
        for turn in range(6):
            head.to_device(["lightning.qubit", "default.qubit?mode=direct", "default.mixed"][turn % 3])
        return []

    for outputs in together(work, 4):
        for found in outputs:
            torch.testing.assert_close(found.double(), want, atol=1e-5, rtol=0)


@pytest.mark.parametrize("device", ["default.qubit", "lightning.qubit", "default.mixed?diff_method=parameter-shift"])
def test_gradients_on_demand(device):
    """Circuits of a backward pass, in every thread, in eval mode: no deadlock and the right gradient."""
    head, x = build(device, circuit="rotor"), torch.randn(2, D)
    reference = copy.deepcopy(head).to_device("default.qubit")
    parameters = list(head.parameters())
    want = torch.autograd.grad(reference(x).square().sum(), list(reference.parameters()))

    def work(_):
        return torch.autograd.grad(head(x).square().sum(), parameters)

    for found in together(work, 4):
        for a, b in zip(found, want, strict=True):
            torch.testing.assert_close(a, b, atol=1e-4, rtol=0)


def test_training_beside_serving():
    """One thread trains a head on a device whose gradients are circuits; the outputs of another head stay right."""
    trained, x = build("lightning.qubit", circuit="rotor").train(), torch.randn(2, D)
    served = [build("default.mixed", seed=seed, circuit="rotor") for seed in range(8)]
    want = [expected(head, x) for head in served]
    stop = threading.Event()

    def work(number):
        if number == 0:
            try:
                return [head(x).detach() for head in served]
            finally:
                stop.set()
        steps = 0
        while not stop.is_set() and steps < 200:
            trained(x).sum().backward()
            steps += 1
        return []

    for found, answer in zip(together(work, 2)[0], want, strict=True):
        torch.testing.assert_close(found.double(), answer, atol=1e-5, rtol=0)


def test_copies_while_others_compute():
    """Heads hold no lock: they are copied and pickled in the middle of it."""
    head, x = build("lightning.qubit", circuit="rotor"), torch.randn(2, D)
    want = expected(head, x)

    def work(number):
        if number % 2:
            return head(x).detach()
        twin = copy.deepcopy(head) if number % 4 else pickle.loads(pickle.dumps(head))  # noqa: S301 - our own bytes
        return twin(x).detach()

    for found in together(work):
        torch.testing.assert_close(found.double(), want, atol=1e-5, rtol=0)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_forked_while_another_thread_computes():
    """The child neither waits for a thread it does not have nor goes on with half of what that one recorded."""
    head, x = build("lightning.qubit", circuit="rotor"), torch.zeros(1, D)
    want = expected(head, x)
    device = head.executor.device
    stop = threading.Event()

    def keep_measuring():
        while not stop.is_set():
            build("lightning.qubit", circuit="rotor")(x)

    busy = threading.Thread(target=keep_measuring, daemon=True)
    busy.start()
    try:
        for _ in range(2):
            context = multiprocessing.get_context("fork")
            receive, send = context.Pipe(duplex=False)
            child = context.Process(target=_in_child, args=(head, x, id(device), send))
            child.start()
            assert receive.poll(60), "the child waits for ever"
            found, new = receive.recv()
            child.join(60)
            assert new
            torch.testing.assert_close(torch.tensor(found).double(), want, atol=1e-5, rtol=0)
    finally:
        stop.set()
        busy.join(60)


def _in_child(head, x, parents, send):
    found = []
    # A thread of the child's own: the one that forked may have been inside the lock.
    thread = threading.Thread(target=lambda: found.append(head(x).detach().tolist()))
    thread.start()
    thread.join()
    send.send((found[0], id(head.executor.device) != parents))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_forked_inside():
    """A device may fork while it runs circuits; all threads of its child can compute."""
    head, x = build("lightning.qubit", circuit="rotor"), torch.zeros(1, D)
    context = multiprocessing.get_context("fork")
    receive, send = context.Pipe(duplex=False)
    with circuits_locked(), weights_locked():
        child = context.Process(target=_in_child, args=(head, x, 0, send))
        child.start()
        assert receive.poll(60), "the child waits for ever"
        child.join(60)
    together(lambda _: head(x), 2)


def test_cache_is_bounded_and_keeps_what_callers_share():
    """Weights that take turns do not drive each other out, and the cache does not grow."""
    runs = []
    cache = ResponseCache(lambda executor, weights: runs.append(len(runs)) or weights * 2)
    many = [torch.full((1, 1), float(i)) for i in range(SETS_KEPT + 2)]
    for _ in range(3):
        for weights in many[:2]:
            for dtype in (torch.float32, torch.float64):
                found = cache(None, weights, dtype, training=False)
                assert found.dtype == dtype
                assert found.item() == 2 * weights.item()
    assert len(runs) == 4
    for weights in many:
        cache(None, weights, torch.float32, training=False)
    assert len(cache._measured) == SETS_KEPT
    assert copy.deepcopy(cache)._measured == ()
    # In place: what is kept is a copy.
    many[-1].add_(1)
    assert cache(None, many[-1], torch.float32, training=False).item() == 2 * many[-1].item()


def test_responses_are_the_callers_own():
    """What a caller does to the response tensors does not change the head."""
    head, x = build(), torch.randn(2, D)
    before = head(x).detach()
    for response in head.responses():
        response.zero_()
    assert torch.equal(head(x), before)
