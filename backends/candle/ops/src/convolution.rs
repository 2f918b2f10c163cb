//! Convolutions over the tokens of texts, and what is kept of each text.

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use crate::buffer::sum_in_order;
use crate::floats::{fusable, gradient_of, read, slice};
use crate::{check, composed};

/// The sizes of convolutions over texts of different lengths that lie one behind the other.
///
/// Nothing is padded: a convolution sees zeros beyond the ends of its own text, and nothing of its
/// neighbours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextConvolutions {
    /// Tokens of each text, at least one.
    pub lengths: Vec<usize>,
    /// The width of each convolution, in tokens, and its channels.
    pub sizes: Vec<(usize, usize)>,
}

impl TextConvolutions {
    /// Columns of the products: a block of `channels` for each tap of each convolution.
    #[must_use]
    pub fn taps(&self) -> usize {
        self.sizes.iter().map(|(width, channels)| width * channels).sum()
    }

    /// Channels of all convolutions.
    #[must_use]
    pub fn channels(&self) -> usize {
        self.sizes.iter().map(|(_, channels)| channels).sum()
    }
}

/// Tokens that a convolution of this width sees before its own.
pub(crate) const fn before(width: usize) -> usize {
    (width - 1) / 2
}

/// Convolutions, rectified and pooled over each text: for every convolution the maximum of its
/// channels and then their mean, `(texts, 2 channels)`.
///
/// `products` is `(N, taps)`: each of the `N` tokens times the weights of every tap, as
/// [`linear`](crate::linear) gives them; tap `j` of a convolution of width `w` is added to the token
/// `(w - 1) / 2 - j` further on. `bias` is `(channels)`.
///
/// # Errors
/// If the shapes do not fit, or a text has no token.
pub fn convolve_and_pool(
    products: &Tensor,
    bias: &Tensor,
    convolutions: &TextConvolutions,
) -> Result<Tensor> {
    const OP: &str = "convolve_and_pool";
    let (rows, columns) = check::matrix(OP, "products", products)?;
    let TextConvolutions { lengths, sizes } = convolutions;
    if lengths.contains(&0) || lengths.iter().sum::<usize>() != rows {
        bail!("{OP}: texts of {lengths:?} tokens are not the {rows} rows, or one is empty")
    }
    if sizes.iter().any(|&(width, _)| width == 0) || convolutions.taps() != columns {
        bail!("{OP}: convolutions of {sizes:?} have {} taps, not {columns}", convolutions.taps())
    }
    if bias.dims() != [convolutions.channels()] {
        bail!("{OP}: the bias has the shape {:?}, not [{}]", bias.dims(), convolutions.channels())
    }
    if !fusable(&[products, bias]) {
        return composed::convolve_and_pool(products, bias, convolutions);
    }
    products.contiguous()?.apply_op2(&bias.contiguous()?, Pool(convolutions.clone()))
}

struct Pool(TextConvolutions);

/// One convolution within the columns.
struct Block {
    width: usize,
    channels: usize,
    /// Its first column of the products.
    tap: usize,
    /// Its first channel among all.
    channel: usize,
}

impl Pool {
    fn blocks(&self) -> impl Iterator<Item = Block> + '_ {
        let (mut tap, mut channel) = (0, 0);
        self.0.sizes.iter().map(move |&(width, channels)| {
            let block = Block { width, channels, tap, channel };
            tap += width * channels;
            channel += channels;
            block
        })
    }

    /// The first row of each text.
    fn starts(&self) -> Vec<usize> {
        let mut start = 0;
        let begin = |&length: &usize| {
            start += length;
            start - length
        };
        self.0.lengths.iter().map(begin).collect()
    }
}

impl Block {
    /// The rectified convolution of one text, `(tokens, channels)`.
    fn values(&self, products: &[f32], columns: usize, bias: &[f32]) -> Vec<f32> {
        let Self { width, channels, tap, channel } = *self;
        let tokens = products.len() / columns;
        let mut values = Vec::with_capacity(tokens * channels);
        for _ in 0..tokens {
            values.extend_from_slice(&bias[channel..][..channels]);
        }
        for j in 0..width {
            for (to, from) in reached(tokens, width, j) {
                let row = &products[from * columns + tap + j * channels..][..channels];
                for (value, product) in values[to * channels..][..channels].iter_mut().zip(row) {
                    *value += product;
                }
            }
        }
        values.iter_mut().for_each(|value| *value = value.max(0.0));
        values
    }
}

/// Which token of a text tap `j` of a convolution is added to, and from which.
fn reached(tokens: usize, width: usize, j: usize) -> impl Iterator<Item = (usize, usize)> {
    let before = before(width);
    (0..tokens).filter_map(move |to| {
        let from = (to + j).checked_sub(before)?;
        (from < tokens).then_some((to, from))
    })
}

impl CustomOp2 for Pool {
    fn name(&self) -> &'static str {
        "convolve_and_pool"
    }

    fn cpu_fwd(
        &self,
        products: &CpuStorage,
        products_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (products, bias) = (slice(products, products_layout)?, slice(bias, bias_layout)?);
        let (columns, out) = (self.0.taps(), 2 * self.0.channels());
        let mut pooled = vec![0f32; self.0.lengths.len() * out];
        pooled.par_chunks_mut(out.max(1)).zip(self.starts()).zip(&self.0.lengths).for_each(
            |((pooled, start), &tokens)| {
                let text = &products[start * columns..][..tokens * columns];
                for block in self.blocks() {
                    let values = block.values(text, columns, bias);
                    let pooled = &mut pooled[2 * block.channel..][..2 * block.channels];
                    let (highest, mean) = pooled.split_at_mut(block.channels);
                    for row in values.chunks_exact(block.channels) {
                        for ((highest, mean), &value) in highest.iter_mut().zip(&mut *mean).zip(row)
                        {
                            *highest = highest.max(value);
                            *mean += value;
                        }
                    }
                    mean.iter_mut().for_each(|mean| *mean /= tokens as f32);
                }
            },
        );
        Ok((CpuStorage::F32(pooled), Shape::from((self.0.lengths.len(), out))))
    }

    fn bwd(
        &self,
        products: &Tensor,
        bias: &Tensor,
        _pooled: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let gradient = gradient.contiguous()?;
        let (gradient, columns) = (read(&gradient)?, self.0.taps());
        let (from, with) = (read(products)?, read(bias)?);
        let (from, with, gradient) = (&*from, &*with, &*gradient);
        let mut to_products = vec![0f32; from.len()];
        let mut texts = Vec::with_capacity(self.0.lengths.len());
        let mut rest = to_products.as_mut_slice();
        for (&tokens, start) in self.0.lengths.iter().zip(self.starts()) {
            let (text, others) = rest.split_at_mut(tokens * columns);
            texts.push((text, start * columns));
            rest = others;
        }
        let out = 2 * self.0.channels();
        let to_bias: Vec<Vec<f32>> = texts
            .into_par_iter()
            .zip(gradient.par_chunks(out.max(1)))
            .map(|((to, start), gradient)| {
                self.text_backward(&from[start..][..to.len()], with, gradient, to)
            })
            .collect();
        let to_bias = sum_in_order(&to_bias, self.0.channels());
        Ok((gradient_of(products, to_products)?, gradient_of(bias, to_bias)?))
    }
}

impl Pool {
    /// Writes the gradient of one text's products; gives that of the bias.
    fn text_backward(
        &self,
        products: &[f32],
        bias: &[f32],
        gradient: &[f32],
        to: &mut [f32],
    ) -> Vec<f32> {
        let columns = self.0.taps();
        let tokens = products.len() / columns.max(1);
        let mut to_bias = vec![0f32; self.0.channels()];
        for block in self.blocks() {
            let Block { width, channels, tap, channel } = block;
            let values = block.values(products, columns, bias);
            let gradient = &gradient[2 * channel..][..2 * channels];
            let (to_highest, to_mean) = gradient.split_at(channels);
            // The first of the highest, and that value.
            let mut highest = vec![(0, 0f32); channels];
            for (token, row) in values.chunks_exact(channels).enumerate() {
                for (highest, &value) in highest.iter_mut().zip(row) {
                    if value > highest.1 {
                        *highest = (token, value);
                    }
                }
            }
            let mut slopes = values;
            for row in slopes.chunks_exact_mut(channels) {
                for (value, mean) in row.iter_mut().zip(to_mean) {
                    *value = if *value > 0.0 { mean / tokens as f32 } else { 0.0 };
                }
            }
            for (at, (&(token, value), slope)) in highest.iter().zip(to_highest).enumerate() {
                if value > 0.0 {
                    slopes[token * channels + at] += slope;
                }
            }
            for row in slopes.chunks_exact(channels) {
                for (sum, slope) in to_bias[channel..].iter_mut().zip(row) {
                    *sum += slope;
                }
            }
            for j in 0..width {
                for (of, token) in reached(tokens, width, j) {
                    to[token * columns + tap + j * channels..][..channels]
                        .copy_from_slice(&slopes[of * channels..][..channels]);
                }
            }
        }
        to_bias
    }
}
