//! From what a compiler writes to what a host loads.

use std::path::Path;

use detoxlm_core::remote::one_line;
use detoxlm_core::{Error, ErrorKind, Result, files};
use wit_component::ComponentEncoder;
use wit_component::metadata::decode;

use crate::COMPONENT;
use crate::component::check_kind;
use crate::manifest::{FILE, Manifest};
use crate::sha256::sha256;

const OPERATION: &str = "pack a plugin";

/// What was packed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Packed {
    /// Bytes of the component.
    pub bytes: usize,
    /// Its SHA-256.
    pub sha256: String,
    /// Whether the manifest beside it was brought up to date.
    pub manifest: bool,
}

/// Makes a component of a core module that was built with the contract's bindings (`detoxlm-guest`,
/// `wit-bindgen`); what is a component already stays as it is. Writes it to `out`, and its SHA-256 into
/// the `plugin.toml` there if that is about it.
///
/// # Errors
/// When the module cannot be read or is not made for the contract, the manifest is wrong, or a file
/// cannot be written.
pub fn pack(module: impl AsRef<Path>, out: impl AsRef<Path>) -> Result<Packed> {
    let (module, out) = (module.as_ref(), out.as_ref());
    let bytes = std::fs::read(module).map_err(|e| Error::io(COMPONENT, OPERATION, module, e))?;
    let component = encode(&bytes).map_err(|e| e.with_path(module))?;
    let sha256 = sha256(&component);
    let manifest = out.with_file_name(FILE);
    let is_about_it = manifest.is_file() && Manifest::read(&manifest)?.is_about(out);
    files::write_atomically(out, &component)?;
    if is_about_it {
        write_digest(&manifest, &sha256)?;
    }
    Ok(Packed { bytes: component.len(), sha256, manifest: is_about_it })
}

/// A component of a module's bytes.
fn encode(bytes: &[u8]) -> Result<Vec<u8>> {
    if check_kind(bytes).is_ok() {
        return Ok(bytes.to_vec());
    }
    let refuse = |message: String| {
        let message = format!("no component can be made of it: {}", one_line(&message));
        Error::new(ErrorKind::InvalidInput, COMPONENT, OPERATION, message).with_remedy(
            "build it for wasm32-unknown-unknown with bindings of filter.wit, such as those of \
             detoxlm-guest",
        )
    };
    let (_, bindings) = decode(bytes).map_err(|e| refuse(format!("{e:#}")))?;
    let world = &bindings.resolve.worlds[bindings.world];
    if world.exports.is_empty() {
        return Err(refuse("it does not say which contract it is made for".into()));
    }
    let encoder = ComponentEncoder::default().validate(true).module(bytes);
    encoder.and_then(|mut encoder| encoder.encode()).map_err(|e| refuse(format!("{e:#}")))
}

/// Sets `sha256` in a manifest and leaves everything else as its author wrote it.
fn write_digest(path: &Path, sha256: &str) -> Result<()> {
    let text =
        std::fs::read_to_string(path).map_err(|e| Error::io(COMPONENT, OPERATION, path, e))?;
    files::write_atomically(path, with_digest(&text, sha256))
}

fn with_digest(text: &str, sha256: &str) -> String {
    let line = format!("sha256 = \"{sha256}\"");
    let is_key = |line: &str, key: &str| {
        line.strip_prefix(key).is_some_and(|rest| rest.trim_start().starts_with('='))
    };
    let mut lines: Vec<&str> = text.lines().collect();
    // A key of the first table: of those before any header.
    let table = lines.iter().position(|line| line.starts_with('[')).unwrap_or(lines.len());
    match lines[..table].iter().position(|line| is_key(line, "sha256")) {
        Some(at) => lines[at] = &line,
        None => {
            let at = lines[..table].iter().position(|line| is_key(line, "component"));
            lines.insert(at.map_or(0, |at| at + 1), &line);
        }
    }
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_set_and_the_rest_stays() {
        let before = "# mine\ncomponent = \"a.wasm\" # here\nlicence = \"MIT\"\n\n[settings]\nsha256 = \"x\"\n";
        let after = with_digest(before, "ab");
        let expected = "# mine\ncomponent = \"a.wasm\" # here\nsha256 = \"ab\"\nlicence = \"MIT\"\n\n\
                        [settings]\nsha256 = \"x\"\n";
        assert_eq!(after, expected);
        assert_eq!(with_digest(&after, "cd"), expected.replace("\"ab\"", "\"cd\""));
    }
}
