"""Small image networks as ONNX files, and an OpenVINO network written as ONNX, so that one runs in both programs."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 18


def mean_colours(path, *, size=(8, 4), batch="batch", dim=3, output_shape=None):
    """The mean of each channel of the picture as it comes, and `dim - 3` more numbers, each one 1."""
    rows = batch if isinstance(batch, int) else 1
    constants = {"axes": np.array([2, 3], np.int64), "ones": np.ones((rows, dim - 3), np.float32)}
    nodes = [helper.make_node("ReduceMean", ["picture", "axes"], ["colours"], keepdims=0)]
    nodes.append(helper.make_node("Concat", ["colours", "ones"], ["embedding"], axis=1))
    shape = output_shape or [rows, dim]
    if output_shape is not None:
        constants["shape"] = np.array(output_shape, np.int64)
        nodes[-1].output[0] = "flat"
        nodes.append(helper.make_node("Reshape", ["flat", "shape"], ["embedding"]))
    picture = helper.make_tensor_value_info("picture", TensorProto.FLOAT, [batch, 3, *size])
    embedding = helper.make_tensor_value_info("embedding", TensorProto.FLOAT, shape)
    return _write(path, nodes, constants, picture, [embedding])


def two_outputs(path):
    """Gives the mean colours under one name and their negatives under another."""
    nodes = [
        helper.make_node("ReduceMean", ["picture", "axes"], ["colours"], keepdims=0),
        helper.make_node("Neg", ["colours"], ["opposite"]),
    ]
    picture = helper.make_tensor_value_info("picture", TensorProto.FLOAT, [1, 3, 8, 4])
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3]) for name in ("colours", "opposite")]
    return _write(path, nodes, {"axes": np.array([2, 3], np.int64)}, picture, outputs)


def random_network(path, *, size=(32, 16), dim=16, seed=0):
    """A convolution, a rectifier, a mean over the picture and a matrix, all of random numbers."""
    generator = np.random.default_rng(seed)
    constants = {
        "kernel": generator.normal(size=(8, 3, 3, 3)).astype(np.float32),
        "matrix": generator.normal(size=(8, dim)).astype(np.float32),
        "axes": np.array([2, 3], np.int64),
    }
    nodes = [
        helper.make_node("Conv", ["picture", "kernel"], ["edges"], strides=[2, 2]),
        helper.make_node("Relu", ["edges"], ["positive"]),
        helper.make_node("ReduceMean", ["positive", "axes"], ["pooled"], keepdims=0),
        helper.make_node("MatMul", ["pooled", "matrix"], ["embedding"]),
    ]
    picture = helper.make_tensor_value_info("picture", TensorProto.FLOAT, [1, 3, *size])
    embedding = helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [1, dim])
    return _write(path, nodes, constants, picture, [embedding])


def openvino_as_onnx(xml, path):
    """Write an OpenVINO network as ONNX, operation by operation: those that Intel's OmniScaleNets are made of."""
    import openvino

    network = openvino.Core().read_model(xml)
    nodes, constants = [], {}
    names = {}
    for operation in network.get_ordered_ops():
        sources = [source.get_source_output() for source in operation.inputs()]
        inputs = [names[source.get_node().get_friendly_name(), source.get_index()] for source in sources]
        name = operation.get_friendly_name()
        kind = operation.get_type_name()
        if kind == "Result":
            continue
        names |= {(name, index): name for index in range(len(operation.outputs()))}
        if kind == "Constant":
            constants[name] = np.array(operation.data)
        elif kind == "Convert" and inputs[0] in constants:
            constants[name] = constants[inputs[0]].astype(np.float32)
        elif kind != "Parameter":
            nodes += _onnx_nodes(kind, inputs, name, operation.get_attributes(), constants)
    (parameter,), (result,) = network.get_parameters(), network.get_results()
    picture = helper.make_tensor_value_info(parameter.get_friendly_name(), TensorProto.FLOAT, list(parameter.shape))
    given = names[result.input(0).get_source_output().get_node().get_friendly_name(), 0]
    return _write(path, nodes, constants, picture, [helper.make_tensor_value_info(given, TensorProto.FLOAT, None)])


_SAME = {
    "Add": "Add",
    "Relu": "Relu",
    "Multiply": "Mul",
    "Sigmoid": "Sigmoid",
    "Subtract": "Sub",
    "PRelu": "PRelu",
}


def _onnx_nodes(kind, inputs, name, attributes, constants):
    if kind in _SAME:
        return [helper.make_node(_SAME[kind], inputs, [name])]
    if kind == "Reshape":
        return [helper.make_node("Reshape", inputs, [name])]
    if kind == "ShapeOf":
        return [helper.make_node("Shape", inputs, [name])]
    if kind == "Concat":
        return [helper.make_node("Concat", inputs, [name], axis=attributes["axis"])]
    if kind == "Gather":
        return [helper.make_node("Gather", inputs[:2], [name], axis=int(constants[inputs[2]].reshape(-1)[0]))]
    if kind == "ReduceMean":
        constants[inputs[1]] = constants[inputs[1]].astype(np.int64).reshape(-1)
        return [helper.make_node("ReduceMean", inputs, [name], keepdims=int(attributes["keep_dims"]))]
    if kind == "MatMul":
        assert not attributes["transpose_a"]
        if attributes["transpose_b"]:
            constants[f"{inputs[1]}/turned"] = constants[inputs[1]].T.copy()
            inputs = [inputs[0], f"{inputs[1]}/turned"]
        return [helper.make_node("MatMul", inputs, [name])]
    if kind == "MVN":
        assert attributes["normalize_variance"]
        assert attributes["eps_mode"] == "INSIDE_SQRT"
        constants[inputs[1]] = constants[inputs[1]].astype(np.int64).reshape(-1)
        constants[f"{name}/eps"] = np.float32(attributes["eps"]).reshape(1)
        steps = (
            ("ReduceMean", inputs, "mean"),
            ("Sub", [inputs[0], f"{name}/mean"], "centred"),
            ("Mul", [f"{name}/centred", f"{name}/centred"], "squares"),
            ("ReduceMean", [f"{name}/squares", inputs[1]], "variance"),
            ("Add", [f"{name}/variance", f"{name}/eps"], "positive"),
            ("Sqrt", [f"{name}/positive"], "deviation"),
        )
        made = [helper.make_node(step, sources, [f"{name}/{given}"]) for step, sources, given in steps]
        return [*made, helper.make_node("Div", [f"{name}/centred", f"{name}/deviation"], [name])]
    moves = {"strides": attributes["strides"], "pads": [*attributes["pads_begin"], *attributes["pads_end"]]}
    if kind in ("MaxPool", "AvgPool"):
        pool = {"MaxPool": "MaxPool", "AvgPool": "AveragePool"}[kind]
        return [helper.make_node(pool, inputs, [name], kernel_shape=attributes["kernel"], **moves)]
    assert kind in ("Convolution", "GroupConvolution"), kind
    kernel, groups = constants[inputs[1]], 1
    if kind == "GroupConvolution":
        groups, kernel = kernel.shape[0], kernel.reshape(-1, *kernel.shape[2:])
    constants[f"{name}/kernel"] = kernel
    sources = [inputs[0], f"{name}/kernel"]
    return [helper.make_node("Conv", sources, [name], dilations=attributes["dilations"], group=groups, **moves)]


def _write(path, nodes, constants, picture, outputs):
    initializers = [numpy_helper.from_array(np.ascontiguousarray(value), name) for name, value in constants.items()]
    used = {name for node in nodes for name in node.input}
    graph = helper.make_graph(nodes, "network", [picture], outputs, [one for one in initializers if one.name in used])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=9)
    onnx.save(model, path)
    return path
