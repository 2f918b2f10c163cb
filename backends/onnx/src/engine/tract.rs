//! tract: pure Rust, one thread per run, the weights shared by all runs.
//!
//! Called directly and not through `ort`'s backend for it: there a panic of tract's would cross a C
//! interface, which aborts the process.

use std::path::Path;
use std::sync::Arc;

use detoxlm_core::{Error, ErrorKind, Result};
use tract_onnx::prelude::{
    DatumType, Framework, InferenceFact, InferenceModel, InferenceModelExt, IntoRunnable, TValue,
    TVec, Tensor, ToDim, TractError, TractResult, TypedFact, TypedModel, TypedRunnableModel, tvec,
};

use tract_onnx::tract_hir::infer::Factoid;
use tract_onnx::tract_hir::internal::DimLike;

use super::signature::{self, Element, Input, Integer, Port};
use super::{Graph, Logits, Runner};
use crate::batches::Grouping;
use crate::files::ModelFile;
use crate::{COMPONENT, LIBRARY_VARIABLE};

const OPERATION: &str = "load the graph";

#[derive(Debug)]
struct TractRunner {
    plan: Arc<TypedRunnableModel>,
    output: usize,
}

/// Reads, types and optimises a graph.
pub(super) fn load(file: &ModelFile) -> Result<Graph> {
    let model = file.path.as_path();
    let malformed = |message: String| {
        Error::new(ErrorKind::InvalidInput, COMPONENT, OPERATION, message)
            .with_path(model)
            .with_remedy("the file may be cut short: copy or export it again")
    };
    let unsupported = |e: TractError| {
        Error::new(ErrorKind::Unsupported, COMPONENT, OPERATION, format!("tract: {}", chain(&e)))
            .with_path(model)
            .with_remedy(format!(
                "use ONNX Runtime: the feature `onnxruntime`, and its library's path in \
                 {LIBRARY_VARIABLE}"
            ))
    };
    // Shapes that exporters note down contradict each other's names for the same axis; tract finds
    // them itself.
    let framework = tract_onnx::onnx().with_ignore_output_shapes(true).with_ignore_value_info(true);
    let read = match file.bytes {
        Some(mut bytes) => framework.proto_model_for_read(&mut bytes),
        None => framework.proto_model_for_path(model),
    };
    let proto = read.map_err(|e| malformed(format!("not an ONNX model: {}", chain(&e))))?;
    if proto.graph.is_none() {
        return Err(malformed("not an ONNX model: it holds no graph".into()));
    }
    let weights_beside = model.parent().and_then(Path::to_str);
    let parsed = framework.parse(&proto, weights_beside).map_err(unsupported)?;
    if let Some(name) = parsed.unresolved_inputs.first() {
        return Err(
            malformed("a node reads a value that nothing gives".into()).with_key(name.clone())
        );
    }
    let graph = parsed.model;
    let inputs = signature::inputs(&input_ports(&graph).map_err(unsupported)?, model)?;
    // A graph that flattens (batch, sequence) into one axis is beyond tract's symbols, unless one of
    // the two is a number. One text at a time then; with these matrices that costs little.
    let many = compile(graph.clone(), &inputs, None);
    let grouping = if many.is_ok() { signature::grouping(&inputs) } else { Grouping::Alone };
    let plan = many.or_else(|_| compile(graph, &inputs, Some(1))).map_err(unsupported)?;
    let outputs = output_ports(plan.model()).map_err(unsupported)?;
    let output = signature::output(&outputs, model)?;
    Ok(Graph { inputs, grouping, runner: Box::new(TractRunner { plan, output }) })
}

/// Names the axes that all inputs share, or sets the batch; then types, optimises and tries the graph.
fn compile(
    mut graph: InferenceModel,
    inputs: &[Input],
    batch: Option<usize>,
) -> TractResult<Arc<TypedRunnableModel>> {
    let rows = batch.map_or_else(|| graph.symbols.sym("batch").to_dim(), |rows| rows.to_dim());
    let width = graph.symbols.sym("sequence").to_dim();
    for (at, input) in inputs.iter().enumerate() {
        let shape = tvec![rows.clone(), width.clone()];
        graph.set_input_fact(at, InferenceFact::dt_shape(datum_type(input.integer), shape))?;
    }
    let plan = graph.into_optimized()?.into_runnable()?;
    // Some operators accept symbols and fail on numbers.
    let shape = [batch.unwrap_or(2), 3];
    let ones = vec![1; shape[0] * shape[1]];
    let values: Vec<_> = inputs.iter().map(|input| (*input, ones.as_slice())).collect();
    plan.run(tensors(&values, shape)?)?;
    Ok(plan)
}

fn input_ports(graph: &InferenceModel) -> TractResult<Vec<Port>> {
    (0..graph.inputs.len())
        .map(|at| {
            let fact = graph.input_fact(at)?;
            let element = fact
                .datum_type
                .concretize()
                .map_or_else(|| Element::Other("an unknown type".to_owned()), element);
            let fixed = fact.shape.rank().concretize().is_some().then(|| {
                fact.shape
                    .dims()
                    .map(|dimension| dimension.concretize().and_then(|d| d.to_usize().ok()))
                    .collect()
            });
            let name = graph.node(graph.inputs[at].node).name.clone();
            Ok(Port { name, element, shape: fixed })
        })
        .collect()
}

fn output_ports(graph: &TypedModel) -> TractResult<Vec<Port>> {
    (0..graph.outputs.len())
        .map(|at| {
            let fact: &TypedFact = graph.output_fact(at)?;
            let shape = fact.shape.iter().map(|d| d.to_usize().ok()).collect();
            let outlet = graph.outputs[at];
            let name = graph
                .outlet_label(outlet)
                .map_or_else(|| graph.node(outlet.node).name.clone(), str::to_owned);
            Ok(Port { name, element: element(fact.datum_type), shape: Some(shape) })
        })
        .collect()
}

fn element(datum_type: DatumType) -> Element {
    match datum_type {
        DatumType::I64 => Element::Integer(Integer::I64),
        DatumType::I32 => Element::Integer(Integer::I32),
        DatumType::F32 => Element::Float,
        other => Element::Other(format!("{other:?}")),
    }
}

const fn datum_type(integer: Integer) -> DatumType {
    match integer {
        Integer::I64 => DatumType::I64,
        Integer::I32 => DatumType::I32,
    }
}

impl Runner for TractRunner {
    fn run(&self, inputs: &[(Input, &[i64])], shape: [usize; 2]) -> Result<Logits, String> {
        self.compute(inputs, shape).map_err(|e| format!("tract: {}", chain(&e)))
    }
}

impl TractRunner {
    fn compute(&self, inputs: &[(Input, &[i64])], shape: [usize; 2]) -> TractResult<Logits> {
        let outputs = self.plan.run(tensors(inputs, shape)?)?;
        let logits = &outputs[self.output];
        let columns = logits.shape().last().copied().unwrap_or(0);
        let values = logits.try_as_plain_ram()?.as_slice::<f32>()?.to_vec();
        Ok(Logits { columns, values })
    }
}

fn tensors(inputs: &[(Input, &[i64])], shape: [usize; 2]) -> TractResult<TVec<TValue>> {
    inputs
        .iter()
        .map(|(input, values)| {
            let tensor = Tensor::from_shape(&shape, values)?;
            Ok(tensor.cast_to_dt(datum_type(input.integer))?.into_owned().into())
        })
        .collect()
}

/// An error with its causes, on one line.
fn chain(error: &TractError) -> String {
    format!("{error:#}").split_whitespace().collect::<Vec<_>>().join(" ")
}
