use std::fs;
use std::sync::Arc;

use detoxlm_core::layers::{Cached, Calibration};
use detoxlm_core::testing::CapitalScorer;
use detoxlm_core::{Sample, ToxicityScorer};

use crate::block_on;

/// A row of a cache.
pub(crate) const CACHE: &[u8] =
    br#"{"key":"0000000000000000000000000000000000000000000000000000000000000000","verdict":{"scores":{"TOXICITY":0.5}}}
"#;
pub(crate) const CALIBRATION: &[u8] = br#"{
  "scorer": "0000000000000000000000000000000000000000000000000000000000000000",
  "target": "Perspective, 2020",
  "maps": {"TOXICITY": {"kind": "isotonic", "from": [0.1, 0.5], "to": [0.2, 0.9]}}
}"#;

/// Opens a cache of verdicts whose file holds these bytes, and asks it for a text.
pub fn verdict_cache(data: &[u8]) {
    let Ok(directory) = tempfile::tempdir() else { return };
    let scorer = CapitalScorer::new();
    let folder = directory.path().join(scorer.info().digest.as_str());
    if fs::create_dir_all(&folder).is_err()
        || fs::write(folder.join("verdicts.jsonl"), data).is_err()
    {
        return;
    }
    let Ok(cached) = Cached::open(Arc::new(scorer), directory.path()) else { return };
    // Either way is fine.
    let _ = block_on(cached.score(&[Sample::new("a text")]));
}

/// Reads a calibration, and applies what it holds.
pub fn calibration(data: &[u8]) {
    let Ok(directory) = tempfile::tempdir() else { return };
    let path = directory.path().join("calibration.json");
    if fs::write(&path, data).is_err() {
        return;
    }
    let Ok(calibration) = Calibration::read(&path) else { return };
    for map in calibration.maps.values() {
        for value in [0.0, 0.1, 0.5, 1.0] {
            let mapped = map.apply(value);
            assert!((0.0..=1.0).contains(&mapped), "{map:?} of {value} is {mapped}");
        }
    }
}
