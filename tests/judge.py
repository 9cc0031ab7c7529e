"""The judge of exported graphs: onnx.checker and onnxruntime.

python judge.py GRAPH INPUT OUTPUT: INPUT is raw little-endian float32 or uint8, any number of inputs one after another;
OUTPUT receives the raw float32 outputs. Prints the graph's opset.
"""
import sys

import numpy
import onnx
import onnxruntime

graph, given, wanted = sys.argv[1:]
model = onnx.load(graph)
onnx.checker.check_model(model, full_check=True)
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
source = session.get_inputs()[0]
kind = {"tensor(float)": numpy.float32, "tensor(uint8)": numpy.uint8}[source.type]
inputs = numpy.fromfile(given, dtype=kind).reshape([-1] + source.shape)
outputs = [session.run(None, {source.name: x})[0] for x in inputs]
numpy.stack(outputs).astype(numpy.float32).tofile(wanted)
print("opset", model.opset_import[0].version)
