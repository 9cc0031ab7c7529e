"""The judge of step graphs: onnx.checker, and onnxruntime with the state kept here.

python judge_step.py GRAPH ROWS SCORES: ROWS is raw little-endian float32 `[n, D_in]`; SCORES receives one float32 for each
row from the 64th on. What the graph's inputs and outputs are is told in trainer/src/export/step.rs.
"""
import sys

import numpy
import onnx
import onnxruntime

graph, given, wanted = sys.argv[1:]
model = onnx.load(graph)
onnx.checker.check_model(model, full_check=True)
said = {entry.key: int(entry.value) for entry in model.metadata_props}
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
shapes = {source.name: source.shape for source in session.get_inputs()}
rows = numpy.fromfile(given, dtype=numpy.float32).reshape(-1, shapes["row"][1])
# Every step's outputs by name, and what stands for those before the first.
kept, scores = [], []


def before(name, times, width):
    return numpy.stack([kept[t][name][0] if t >= 0 else numpy.zeros(width) for t in times])


for t, row in enumerate(rows):
    inputs = {"row": row[None]}
    for name, shape in shapes.items():
        if name == "row":
            continue
        if name == "past":
            width = next(result.shape[1] for result in session.get_outputs() if result.name == "x")
            count = shape[1] // width
            inputs[name] = before("x", range(t - count, t), width).reshape(1, -1)
            continue
        kind, scale = name[:-1], int(name[-1])
        stride = 2 ** (scale - 1)
        tokens = said["segments"] // stride
        if kind == "asked":
            asked = (said["segments"] - 1 - said["look_ahead"]) // stride
            inputs[name] = before(f"conv{scale}", [t - (tokens - 1 - asked) * stride], shape[1])
        else:
            times = [t - (tokens - 1 - i) * stride for i in range(tokens - 1)]
            inputs[name] = before(f"{kind[:-1]}{scale}", times, shape[1])
    inputs = {name: value.astype(numpy.float32) for name, value in inputs.items()}
    names = [result.name for result in session.get_outputs()]
    kept.append(dict(zip(names, session.run(None, inputs))))
    if t + 1 >= said["segments"]:
        scores.append(kept[-1]["score"][0, 0])
numpy.array(scores, dtype=numpy.float32).tofile(wanted)
