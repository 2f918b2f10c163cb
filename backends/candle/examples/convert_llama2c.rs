//! Converts a llama2.c checkpoint and its tokenizer to a Hugging Face directory:
//!
//! ```sh
//! cargo run -p detoxlm-candle --example convert_llama2c -- stories260K.bin tok512.bin stories260K
//! ```

use std::path::PathBuf;

use detoxlm_candle::convert_llama2c;
use detoxlm_core::{Error, ErrorKind, Result};

fn main() -> Result<()> {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [checkpoint, tokenizer, directory] = arguments.as_slice() else {
        return Err(Error::new(
            ErrorKind::InvalidConfig,
            "convert_llama2c",
            "read the arguments",
            "three paths are needed: CHECKPOINT TOKENIZER DIRECTORY",
        ));
    };
    convert_llama2c(checkpoint, tokenizer, directory)
}
