use serde::{Deserialize, Deserializer};

/// Reads `null` as what is read when nothing is there: some servers write empty lists that way.
pub(super) fn as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
