"""Writes the classifier as ONNX: one graph for all members, small on disk, exact under padding.

Token vectors are stored as int8 with a scale for each token and looked up as such; the other
weights are stored as float16 and widened in the graph. A masked position is zero before the
convolutions and zero after them, as the positions beyond the ends of a text are.
"""

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from data import ATTRIBUTES
from model import CONVOLUTIONS, padding
from vocabulary import PAD

OPSET = 17
# What the Rust tests compare with.
TEXTS = [
    "Thank you for your help, the garden looks lovely this morning.",
    "You are a stupid idiot and everybody hates you.",
    "I will find you and kill you.",
    "They were naked and had sex all night.",
    "What a load of CRAP!!!",
    "Ωμέγα, Привет, 你好世界 🙂",
    "a",
]
MAX_TOKENS = 128


class Graph:
    """Nodes and stored tensors under construction; methods return the names of their values."""

    def __init__(self):
        self.nodes, self.tensors, self.count = [], [], 0

    def op(self, kind: str, *inputs: str, **attributes) -> str:
        self.count += 1
        output = f"{kind}_{self.count}"
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output

    def store(self, values: np.ndarray) -> str:
        self.count += 1
        name = f"stored_{self.count}"
        self.tensors.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def weight(self, parameter) -> str:
        half = parameter.detach().numpy().astype(np.float16)
        return self.op("Cast", self.store(half), to=TensorProto.FLOAT)

    def axis(self, *axes: int) -> str:
        return self.store(np.array(axes, dtype=np.int64))


def write(output: Path, tokenizer, members):
    (output / "model.onnx").write_bytes(graph(members).SerializeToString())
    tokens = json.loads(tokenizer.to_str())
    (output / "tokenizer.json").write_text(dump(tokens) + "\n", encoding="utf-8")
    config = {
        "model_type": "text-cnn",
        "_name_or_path": "detoxlm-classifier",
        "version": "1",
        "problem_type": "multi_label_classification",
        "id2label": {str(at): name for at, name in enumerate(ATTRIBUTES)},
        "max_position_embeddings": MAX_TOKENS,
        "pad_token_id": tokenizer.token_to_id(PAD),
        "vocab_size": tokenizer.get_vocab_size(),
    }
    (output / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    options = {"windows": {"overlap": 0.125, "combine": "max"}}
    (output / "scorer.json").write_text(json.dumps(options, indent=2) + "\n")
    (output / "expected.json").write_text(dump(expected(output, tokenizer)) + "\n", encoding="utf-8")


def expected(output: Path, tokenizer) -> dict[str, list[float]]:
    """What ONNX Runtime makes of some texts."""
    session = onnxruntime.InferenceSession(output / "model.onnx")
    values = {}
    for text in TEXTS:
        ids = np.array([tokenizer.encode(text).ids], dtype=np.int64)
        (logits,) = session.run(None, {"input_ids": ids, "attention_mask": np.ones_like(ids)})
        values[text] = [round(float(1 / (1 + np.exp(-logit))), 6) for logit in logits[0]]
    return values


def dump(value) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def graph(members) -> onnx.ModelProto:
    g = Graph()
    mask = g.op("Cast", "attention_mask", to=TensorProto.FLOAT)
    per_token, per_channel = (g.op("Unsqueeze", mask, g.axis(axis)) for axis in (2, 1))
    count = g.op("ReduceSum", mask, g.axis(1), keepdims=1)
    logits = [member_logits(g, member, per_token, per_channel, count) for member in members]
    total = logits[0]
    for other in logits[1:]:
        total = g.op("Add", total, other)
    share = g.store(np.array(1 / len(members), dtype=np.float32))
    g.nodes.append(helper.make_node("Mul", [total, share], ["logits"], name="logits"))
    texts = ["batch", "sequence"]
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, texts)
        for name in ("input_ids", "attention_mask")
    ]
    outputs = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", len(ATTRIBUTES)])]
    made = helper.make_graph(g.nodes, "detoxlm-classifier", inputs, outputs, g.tensors)
    opset = [helper.make_opsetid("", OPSET)]
    proto = helper.make_model(made, opset_imports=opset, ir_version=8, producer_name="detoxlm")
    onnx.checker.check_model(proto, full_check=True)
    return proto


def member_logits(g: Graph, member, per_token: str, per_channel: str, count: str) -> str:
    vectors = member.embedding.weight.detach().numpy()
    scale = np.maximum(np.abs(vectors).max(1, keepdims=True) / 127, 1e-8).astype(np.float32)
    rows = g.store(np.round(vectors / scale).astype(np.int8))
    x = g.op("Cast", g.op("Gather", rows, "input_ids", axis=0), to=TensorProto.FLOAT)
    x = g.op("Mul", x, g.op("Gather", g.store(scale), "input_ids", axis=0))
    x = g.op("Transpose", g.op("Mul", x, per_token), perm=[0, 2, 1])
    pooled = []
    for width, convolution in zip(CONVOLUTIONS, member.convolutions):
        weights = g.weight(convolution.weight), g.weight(convolution.bias)
        y = g.op("Conv", x, *weights, kernel_shape=[width], pads=list(padding(width)))
        y = g.op("Mul", g.op("Relu", y), per_channel)
        pooled.append(g.op("ReduceMax", y, axes=[2], keepdims=0))
        pooled.append(g.op("Div", g.op("ReduceSum", y, g.axis(2), keepdims=0), count))
    h = g.op("Concat", *pooled, axis=1)
    h = g.op("Relu", linear(g, h, member.hidden))
    return linear(g, h, member.logits)


def linear(g: Graph, x: str, layer) -> str:
    return g.op("Gemm", x, g.weight(layer.weight), g.weight(layer.bias), transB=1)
