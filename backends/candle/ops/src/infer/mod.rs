//! Batch-invariant CPU kernels for decoding with a key-value cache.
//!
//! Each output row has bits that depend on that row alone: not on the other rows of the call, on
//! its place among them, on the number of threads, or on whether a sequence comes at once or token
//! by token. A sampled continuation is thus the same whatever batch its prompt was scheduled in.
//! This holds by construction: every sum has one order, fixed by its length (see [`PackedLinear`]
//! and [`cached_attention`]), and everything else works element by element.
//!
//! The same bits are promised on one machine. In fact linear layers also agree between processors
//! with a fused multiply-add (AVX-512, AVX2, 64-bit Arm); without one, products are rounded before
//! they are added.
//!
//! Functions work on row-major `f32` slices that the caller reuses from step to step, on the
//! current rayon pool if there is enough work for more than one thread. A decoding loop belongs
//! inside of `ThreadPool::install`: from a thread outside of the pool, every parallel call waits
//! for a thread of the pool to wake up.
//!
//! ```
//! use candle_core::{Device, Result, Tensor};
//! use candle_fused_ops::infer::{
//!     AttentionShape, KvCache, PackedLinear, PackedPrecision, Rows, Segment, WeightLayout,
//!     cached_attention,
//! };
//!
//! # fn main() -> Result<()> {
//! // Two heads of four; query, key and value from one matrix.
//! let weight = Tensor::randn(0f32, 1.0, (8, 8), &Device::Cpu)?;
//! let parts = [(&weight, None), (&weight, None), (&weight, None)];
//! let qkv = PackedLinear::concat(&parts, WeightLayout::OutIn, PackedPrecision::F32)?;
//! let shape = AttentionShape { heads: 2, kv_heads: 2, head_dim: 4, scale: 0.5 };
//! let mut cache = KvCache::new(1, 16, shape.kv_heads, shape.head_dim);
//!
//! // A prompt of three tokens.
//! let (x, mut fused, mut out) = ([0.1; 3 * 8], [0.0; 3 * 24], [0.0; 3 * 8]);
//! qkv.forward_into(&x, 3, &mut fused)?;
//! let columns = |offset| Rows::columns(&fused, 24, offset);
//! let segments = [Segment { slot: 0, start: 0, len: 3 }];
//! cached_attention(columns(0), columns(8), columns(16), &mut cache, &segments, shape, &mut out)?;
//! assert_eq!(cache.filled(0), 3);
//! # Ok(())
//! # }
//! ```

mod activation;
mod attention;
mod buffer;
mod kv_cache;
mod likelihood;
mod linear;
mod norm;
mod parallel;
mod product;
mod reduce;
mod rope;
mod rows;
mod simd;
mod tensor;

pub use activation::{gelu_erf, gelu_tanh, relu, silu, silu_mul};
pub use attention::{AttentionShape, cached_attention, cached_attention_tensor};
pub use kv_cache::{KvCache, Segment};
pub use likelihood::log_softmax_pick;
pub use linear::{PackedLinear, PackedPrecision, WeightLayout};
pub use norm::{layer_norm_rows, rms_norm_rows};
pub use rope::{HeadColumns, RopeTable, apply_rope, rope_table};
pub use rows::{Rows, add_assign, add_scaled_columns, gather_add_rows, gather_rows};
