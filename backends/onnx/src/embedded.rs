//! The classifier that this crate carries; `embedded/README.md` is its model card.

use detoxlm_core::Result;

use crate::files::{CONFIG, Files, MODEL, MemoryFiles, OPTIONS, TOKENIZER};
use crate::source::ClassifierSource;

const FILES: MemoryFiles = MemoryFiles {
    name: "detoxlm-classifier",
    files: &[
        (MODEL, include_bytes!("../embedded/model.onnx")),
        (TOKENIZER, include_bytes!("../embedded/tokenizer.json")),
        (CONFIG, include_bytes!("../embedded/config.json")),
        (OPTIONS, include_bytes!("../embedded/scorer.json")),
    ],
};

pub(crate) fn source() -> Result<ClassifierSource> {
    ClassifierSource::open(Files::in_memory(FILES)?)
}
