//! The network as an ONNX graph.

mod builder;
mod graph;
mod proto;

pub(super) use graph::to_onnx;
