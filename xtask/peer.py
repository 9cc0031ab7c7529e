"""The peer of our benchmarks: onnxruntime on the CPU, one thread.

python peer.py DIR CASE=GRAPH...: loads DIR/GRAPH for each case and says on its first line, as JSON, what it is. Then each
line on standard input is the name of a case and is answered with {"ms": MEDIAN} of one run, until the input ends.
"""
import json
import os
import statistics
import sys
import time

# Before numpy: its matrix product is one of the floors, and must not use more than one thread.
for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

import numpy
import onnxruntime

SPAN_S = 0.3
RUNS_MIN = 3
PRODUCT = 512
PRODUCT_TRIES = 20


def repeat(work, span_s, least):
    """The times of `work`, seconds, repeated for `span_s` and `least` times at least."""
    times = []
    begun = time.perf_counter()
    while len(times) < least or time.perf_counter() - begun < span_s:
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return times


def session(graph):
    """A run of the graph on one input of random numbers that never change."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    loaded = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    source = loaded.get_inputs()[0]
    numbers = numpy.random.default_rng(1)
    if source.type == "tensor(uint8)":
        given = numbers.integers(0, 256, source.shape, dtype=numpy.uint8)
    else:
        given = numbers.uniform(-2, 2, source.shape).astype(numpy.float32)
    return lambda: loaded.run(None, {source.name: given})


def multiply_adds_per_s():
    """The best of numpy's float32 matrix product."""
    a = numpy.random.default_rng(1).random((PRODUCT, PRODUCT), dtype=numpy.float32)
    b, out = a.copy(), numpy.empty_like(a)
    return PRODUCT**3 / min(repeat(lambda: numpy.matmul(a, b, out=out), 0, PRODUCT_TRIES))


def say(what):
    print(json.dumps(what), flush=True)


def main():
    folder, *pairs = sys.argv[1:]
    cases = {}
    for pair in pairs:
        name, graph = pair.split("=", 1)
        cases[name] = session(os.path.join(folder, graph))
    say(
        {
            "engine": "onnxruntime",
            "version": onnxruntime.__version__,
            "multiply_adds_per_s": multiply_adds_per_s(),
        }
    )
    for line in sys.stdin:
        say({"ms": statistics.median(repeat(cases[line.strip()], SPAN_S, RUNS_MIN)) * 1e3})


main()
