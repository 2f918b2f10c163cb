//! What goes into a graph and what comes out, whichever engine runs it.

use std::fmt;
use std::path::Path;

use detoxlm_core::{Error, ErrorKind, Result};

use crate::COMPONENT;
use crate::batches::Grouping;

const OPERATION: &str = "read the graph's signature";

/// An input or output as the engine describes it.
#[derive(Debug)]
pub(super) struct Port {
    pub(super) name: String,
    pub(super) element: Element,
    /// Its dimensions, where known; `None` in it is one that varies.
    pub(super) shape: Option<Vec<Option<usize>>>,
}

/// The element types that matter here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Element {
    Integer(Integer),
    Float,
    Other(String),
}

/// The integers that graphs take token ids in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Integer {
    I32,
    I64,
}

/// What an input means; the names are Hugging Face's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    InputIds,
    AttentionMask,
    TokenTypeIds,
}

impl Role {
    const ALL: [Self; 3] = [Self::InputIds, Self::AttentionMask, Self::TokenTypeIds];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::InputIds => "input_ids",
            Self::AttentionMask => "attention_mask",
            Self::TokenTypeIds => "token_type_ids",
        }
    }
}

/// An input that we know how to fill.
#[derive(Clone, Copy, Debug)]
pub(super) struct Input {
    pub(super) role: Role,
    pub(super) integer: Integer,
}

impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(Integer::I32) => f.write_str("int32"),
            Self::Integer(Integer::I64) => f.write_str("int64"),
            Self::Float => f.write_str("float32"),
            Self::Other(name) => f.write_str(name),
        }
    }
}

/// Recognises the inputs by name.
pub(super) fn inputs(ports: &[Port], model: &Path) -> Result<Vec<Input>> {
    let inputs = ports.iter().map(|port| input(port, model)).collect::<Result<Vec<_>>>()?;
    if !inputs.iter().any(|input| input.role == Role::InputIds) {
        return Err(refuse("the graph takes no token ids".into(), model)
            .with_key("input_ids")
            .with_remedy("export a text classifier"));
    }
    Ok(inputs)
}

fn input(port: &Port, model: &Path) -> Result<Input> {
    let Some(role) = Role::ALL.into_iter().find(|role| role.name() == port.name) else {
        return Err(refuse("an input that we do not know how to fill".into(), model)
            .with_key(port.name.clone())
            .with_remedy(format!("known are {}", Role::ALL.map(Role::name).join(", "))));
    };
    let Element::Integer(integer) = port.element else {
        return Err(refuse(
            format!("an input of {}, where int64 or int32 is known", port.element),
            model,
        )
        .with_key(port.name.clone()));
    };
    if let Some(shape) = &port.shape
        && (shape.len() != 2 || shape.iter().any(Option::is_some))
    {
        return Err(refuse(
            format!("an input of shape {}, where batch and sequence must vary", show(shape)),
            model,
        )
        .with_key(port.name.clone())
        .with_remedy("export the model with dynamic axes for batch and sequence"));
    }
    Ok(Input { role, integer })
}

/// How windows may be grouped for a graph with these inputs, if it takes any number of them.
pub(super) fn grouping(inputs: &[Input]) -> Grouping {
    if inputs.iter().any(|input| input.role == Role::AttentionMask) {
        Grouping::SimilarLengths
    } else {
        Grouping::EqualLengths
    }
}

/// Finds the logits: the first output of floats with two dimensions.
pub(super) fn output(ports: &[Port], model: &Path) -> Result<usize> {
    let fits = |port: &Port| {
        port.element == Element::Float && port.shape.as_ref().is_none_or(|shape| shape.len() == 2)
    };
    ports.iter().position(fits).ok_or_else(|| {
        let found: Vec<_> = ports
            .iter()
            .map(|port| {
                let shape = port.shape.as_deref().map_or_else(String::new, show);
                format!("{}: {}{shape}", port.name, port.element)
            })
            .collect();
        refuse(format!("no output of float32 (batch, labels) among {}", found.join(", ")), model)
            .with_remedy("export a sequence classifier, with float32 logits")
    })
}

fn show(shape: &[Option<usize>]) -> String {
    let dimensions: Vec<_> = shape
        .iter()
        .map(|dimension| dimension.map_or_else(|| "?".to_owned(), |fixed| fixed.to_string()))
        .collect();
    format!("({})", dimensions.join(", "))
}

fn refuse(message: String, model: &Path) -> Error {
    Error::new(ErrorKind::Incompatible, COMPONENT, OPERATION, message).with_path(model)
}
