//! The classifier that this crate carries; `embedded/README.md` is its model card.

use std::sync::Arc;

use detoxlm_core::{Error, ErrorKind, Result, ToxicityScorer};

use crate::files::{CONFIG, Files, MODEL, MemoryFiles, OPTIONS, TOKENIZER};
use crate::source::ClassifierSource;
use crate::{COMPONENT, OnnxScorer};

/// The name that specifications know it by.
pub(crate) const SCHEME: &str = "embedded";

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

/// The scorer of the specification `embedded`. There is one, so nothing may follow the name.
pub(crate) fn from_specification(rest: &str) -> Result<Arc<dyn ToxicityScorer>> {
    if !rest.is_empty() {
        return Err(Error::new(
            ErrorKind::InvalidConfig,
            COMPONENT,
            "choose a scorer",
            "there is one embedded classifier, and nothing to name",
        )
        .with_key(format!("{SCHEME}:{rest}"))
        .with_remedy(format!("write `{SCHEME}`, or `onnx:DIR` for a classifier of your own")));
    }
    Ok(Arc::new(OnnxScorer::embedded()?))
}
