//! GPT-2 and Llama families on candle: local generation, likelihood and training for detoxlm.

mod architecture;
mod causal_lm;
mod checkpoint;
mod error;
mod families;
mod inference;
mod llama2c;
mod options;
mod rotary;
mod safetensors_file;
mod weights;

pub use causal_lm::CandleLm;
pub use llama2c::convert_llama2c;
pub use options::CandleOptions;
