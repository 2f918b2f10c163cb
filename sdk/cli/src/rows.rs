//! Files of rows, looked through before hours are spent on them.

use std::path::Path;

use detoxlm::Result;
use detoxlm::corpus::JsonlReader;
use serde::de::DeserializeOwned;

use crate::session::is_stream;

/// How many rows a file has, each of which can be read as a `T`; `None` for standard input, which
/// is read only once.
///
/// # Errors
/// When the file cannot be opened or a row is malformed.
pub(crate) fn check<T: DeserializeOwned>(path: &Path) -> Result<Option<u64>> {
    if is_stream(path) {
        return Ok(None);
    }
    JsonlReader::<T>::open(path)?.try_fold(0_u64, |count, row| row.map(|_| count + 1)).map(Some)
}
