//! The legacy checkpoint format of llama2.c.

use std::borrow::Cow;
use std::path::Path;

use detoxlm_core::{Error, ErrorKind, Result};

use super::OPERATION;
use crate::error::{COMPONENT, error};

/// `ak42`, with which the versioned formats begin.
const VERSIONED: i32 = 0x616b_3432;

const HEADER: usize = 7 * size_of::<i32>();

/// The sizes that a checkpoint begins with.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) width: usize,
    pub(super) inner_width: usize,
    pub(super) layers: usize,
    pub(super) heads: usize,
    pub(super) kv_heads: usize,
    pub(super) vocabulary: usize,
    pub(super) context_length: usize,
    pub(super) tied: bool,
}

/// A checkpoint in memory.
#[derive(Debug)]
pub(super) struct Llama2c {
    pub(super) header: Header,
    values: Vec<f32>,
}

/// A tensor under its name in Hugging Face's Llama.
#[derive(Debug)]
pub(super) struct Tensor<'a> {
    pub(super) name: String,
    pub(super) shape: Vec<usize>,
    pub(super) values: Cow<'a, [f32]>,
}

impl Llama2c {
    pub(super) fn open(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(|e| Error::io(COMPONENT, OPERATION, path, e))?;
        let refuse =
            |message: String| error(ErrorKind::InvalidInput, OPERATION, message).with_path(path);
        let (Some(header), Some(values)) = (bytes.get(..HEADER), bytes.get(HEADER..)) else {
            return Err(refuse(format!(
                "{} bytes do not hold the header of {HEADER}",
                bytes.len()
            )));
        };
        let header: Vec<_> =
            header.as_chunks().0.iter().map(|&bytes| i32::from_le_bytes(bytes)).collect();
        if header.first() == Some(&VERSIONED) {
            return Err(refuse("a versioned checkpoint".into())
                .with_remedy("export it with `--version 0`, the legacy format"));
        }
        let header = Header::new(&header).ok_or_else(|| {
            refuse(format!("{header:?} are not the sizes of a model: not a llama2.c checkpoint"))
        })?;
        let expected = header.floats().and_then(|floats| floats.checked_mul(size_of::<f32>()));
        if expected != Some(values.len()) {
            return Err(refuse(format!(
                "{} bytes of weights, but the header makes it {}",
                values.len(),
                expected.map_or_else(|| "more than memory".into(), |bytes| bytes.to_string()),
            ))
            .with_remedy("copy or download the file again"));
        }
        let values = values.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
        Ok(Self { header, values })
    }

    /// Every tensor, with the query and key projections reordered.
    pub(super) fn tensors(&self) -> Vec<Tensor<'_>> {
        let Header { width, inner_width, layers, heads, kv_heads, vocabulary, .. } = self.header;
        let head_width = width / heads;
        let kv_width = kv_heads * head_width;
        let mut reader = Reader { rest: &self.values, layers, tensors: Vec::new() };
        reader.take("model.embed_tokens.weight".into(), &[vocabulary, width]);
        reader.take_layers("input_layernorm", &[width]);
        reader.take_rotated("self_attn.q_proj", [width, width], head_width);
        reader.take_rotated("self_attn.k_proj", [kv_width, width], head_width);
        reader.take_layers("self_attn.v_proj", &[kv_width, width]);
        reader.take_layers("self_attn.o_proj", &[width, width]);
        reader.take_layers("post_attention_layernorm", &[width]);
        reader.take_layers("mlp.gate_proj", &[inner_width, width]);
        reader.take_layers("mlp.down_proj", &[width, inner_width]);
        reader.take_layers("mlp.up_proj", &[inner_width, width]);
        reader.take("model.norm.weight".into(), &[width]);
        reader.skip(self.header.angles());
        if !self.header.tied {
            reader.take("lm_head.weight".into(), &[vocabulary, width]);
        }
        reader.tensors
    }
}

impl Header {
    fn new(fields: &[i32]) -> Option<Self> {
        let &[width, inner_width, layers, heads, kv_heads, vocabulary, context_length] = fields
        else {
            return None;
        };
        let size = |value: i32| usize::try_from(value).ok().filter(|&size| size > 0);
        let header = Self {
            width: size(width)?,
            inner_width: size(inner_width)?,
            layers: size(layers)?,
            heads: size(heads)?,
            kv_heads: size(kv_heads)?,
            // A negative vocabulary marks a head of its own.
            vocabulary: size(vocabulary.checked_abs()?)?,
            context_length: size(context_length)?,
            tied: vocabulary > 0,
        };
        let fits = header.width.is_multiple_of(2 * header.heads)
            && header.heads.is_multiple_of(header.kv_heads);
        fits.then_some(header)
    }

    /// Cosines and sines, which the file holds and nobody needs.
    fn angles(&self) -> usize {
        self.context_length * (self.width / self.heads)
    }

    /// How many numbers the file holds, unless that overflows.
    fn floats(&self) -> Option<usize> {
        let kv_width = self.width / self.heads * self.kv_heads;
        let matrices = (2 * self.width)
            .checked_add(2 * kv_width)?
            .checked_add(self.inner_width.checked_mul(3)?)?
            .checked_mul(self.width)?;
        let layers = matrices.checked_add(2 * self.width)?.checked_mul(self.layers)?;
        let embedding = self.vocabulary.checked_mul(self.width)?;
        let embeddings = embedding.checked_mul(if self.tied { 1 } else { 2 })?;
        layers
            .checked_add(embeddings)?
            .checked_add(self.width)?
            .checked_add(self.context_length.checked_mul(self.width / self.heads)?)
    }
}

/// Cuts the numbers into tensors, in the order of the file.
struct Reader<'a> {
    rest: &'a [f32],
    layers: usize,
    tensors: Vec<Tensor<'a>>,
}

impl<'a> Reader<'a> {
    fn skip(&mut self, count: usize) -> &'a [f32] {
        let (values, rest) = self.rest.split_at(count);
        self.rest = rest;
        values
    }

    fn take(&mut self, name: String, shape: &[usize]) {
        let values = Cow::Borrowed(self.skip(shape.iter().product()));
        self.tensors.push(Tensor { name, shape: shape.to_vec(), values });
    }

    /// The file has each kind of tensor of all layers together.
    fn take_layers(&mut self, part: &str, shape: &[usize]) {
        for layer in 0..self.layers {
            self.take(format!("model.layers.{layer}.{part}.weight"), shape);
        }
    }

    fn take_rotated(&mut self, part: &str, [rows, columns]: [usize; 2], head_width: usize) {
        let first = self.tensors.len();
        self.take_layers(part, &[rows, columns]);
        for tensor in &mut self.tensors[first..] {
            let halves: Vec<f32> = tensor
                .values
                .chunks_exact(head_width * columns)
                .flat_map(|head| {
                    let row = move |index: usize| &head[index * columns..][..columns];
                    let even = (0..head_width).step_by(2);
                    let odd = (1..head_width).step_by(2);
                    even.chain(odd).flat_map(move |index| row(index).iter().copied())
                })
                .collect();
            tensor.values = halves.into();
        }
    }
}
