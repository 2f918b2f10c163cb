//! Nodes and stored tensors under construction.

use half::f16;

use super::proto::{
    Attribute, AttributeType, DataType, Dimension, Extent, Graph, Model, Node, OperatorSet, Shape,
    Tensor, TensorType, Type, ValueInfo,
};

const IR_VERSION: i64 = 8;
const OPERATOR_SET: i64 = 17;

/// The name of a value in the graph.
pub(super) type Name = String;

/// A graph so far. Methods give the names of the values that they add.
#[derive(Debug, Default)]
pub(super) struct Builder {
    nodes: Vec<Node>,
    tensors: Vec<Tensor>,
    named: usize,
}

impl Builder {
    fn name(&mut self, kind: &str) -> Name {
        self.named += 1;
        format!("{kind}_{}", self.named)
    }

    /// Adds a node with one output.
    pub(super) fn op(&mut self, kind: &str, inputs: &[&Name], attributes: Vec<Attribute>) -> Name {
        let output = self.name(kind);
        self.named_op(kind, inputs, attributes, output)
    }

    /// The same with a name of its own for the output.
    pub(super) fn named_op(
        &mut self,
        kind: &str,
        inputs: &[&Name],
        attributes: Vec<Attribute>,
        output: Name,
    ) -> Name {
        self.nodes.push(Node {
            input: inputs.iter().map(|&name| name.clone()).collect(),
            output: vec![output.clone()],
            name: Some(output.clone()),
            op_type: Some(kind.to_owned()),
            attribute: attributes,
        });
        output
    }

    fn store(&mut self, data_type: DataType, shape: &[usize], bytes: Vec<u8>) -> Name {
        let name = self.name("stored");
        self.tensors.push(Tensor {
            dims: shape.iter().map(|&size| size as i64).collect(),
            data_type: Some(data_type.into()),
            name: Some(name.clone()),
            raw_data: Some(bytes),
        });
        name
    }

    pub(super) fn bytes(&mut self, values: &[i8], shape: &[usize]) -> Name {
        self.store(DataType::Int8, shape, values.iter().flat_map(|x| x.to_le_bytes()).collect())
    }

    pub(super) fn floats(&mut self, values: &[f32], shape: &[usize]) -> Name {
        self.store(DataType::Float, shape, values.iter().flat_map(|x| x.to_le_bytes()).collect())
    }

    pub(super) fn axis(&mut self, axis: i64) -> Name {
        self.store(DataType::Int64, &[1], axis.to_le_bytes().into())
    }

    /// Stored in half precision, widened in the graph.
    pub(super) fn weight(&mut self, values: &[f16], shape: &[usize]) -> Name {
        let bytes = values.iter().flat_map(|x| x.to_le_bytes()).collect();
        let half = self.store(DataType::Float16, shape, bytes);
        self.widen(&half)
    }

    pub(super) fn widen(&mut self, value: &Name) -> Name {
        self.op("Cast", &[value], vec![int("to", DataType::Float as i64)])
    }

    /// The whole model, with token ids and a mask in and floats out.
    pub(super) fn finish(self, name: &str, inputs: &[&str], output: (&str, usize)) -> Model {
        let varies = |name: &str| Extent::Parameter(name.to_owned());
        let rows = || varies("batch");
        let input = |name: &&str| value(name, DataType::Int64, vec![rows(), varies("sequence")]);
        let logits = vec![rows(), Extent::Value(output.1 as i64)];
        let graph = Graph {
            node: self.nodes,
            name: Some(name.to_owned()),
            initializer: self.tensors,
            input: inputs.iter().map(input).collect(),
            output: vec![value(output.0, DataType::Float, logits)],
        };
        let operators = OperatorSet { domain: Some(String::new()), version: Some(OPERATOR_SET) };
        Model {
            ir_version: Some(IR_VERSION),
            producer_name: Some("detoxlm".to_owned()),
            graph: Some(graph),
            opset_import: vec![operators],
        }
    }
}

fn value(name: &str, data_type: DataType, extents: Vec<Extent>) -> ValueInfo {
    let dim = extents.into_iter().map(|extent| Dimension { value: Some(extent) }).collect();
    let tensor_type = TensorType { elem_type: Some(data_type.into()), shape: Some(Shape { dim }) };
    ValueInfo { name: Some(name.to_owned()), r#type: Some(Type { tensor_type: Some(tensor_type) }) }
}

/// A whole number as an attribute.
pub(super) fn int(name: &str, value: i64) -> Attribute {
    Attribute {
        name: Some(name.to_owned()),
        i: Some(value),
        ints: Vec::new(),
        r#type: Some(AttributeType::Int.into()),
    }
}

/// Several.
pub(super) fn ints(name: &str, values: &[i64]) -> Attribute {
    Attribute {
        name: Some(name.to_owned()),
        i: None,
        ints: values.to_vec(),
        r#type: Some(AttributeType::Ints.into()),
    }
}
