//! From bytes to something that can be instantiated, or to what is wrong with it.

use detoxlm_core::remote::one_line;
use detoxlm_core::{Error, ErrorKind, Result};
use wasmtime::Engine;
use wasmtime::component::{Component, Linker};

use crate::COMPONENT;
use crate::bindings::ScoringFilterPre;
use crate::instance::State;

const OPERATION: &str = "load a plugin";

/// The interface that a plugin exports, without its version.
const INTERFACE: &str = "detoxlm:filter/scoring@";

/// The versions of it that this host speaks.
const SPOKEN: &str = "0.1";

/// A component that fits the contract.
pub(crate) struct Linked {
    pub(crate) instances: ScoringFilterPre<State>,
    /// What it imports, none of which it gets.
    pub(crate) imports: Vec<String>,
    /// The version of the contract that it was made for.
    pub(crate) speaks: String,
}

/// Compiles a component ([`check_kind`] comes first), or takes it from the cache, and checks that it is a plugin.
pub(crate) fn link(engine: &Engine, bytes: &[u8], deny_imports: bool) -> Result<Linked> {
    let component = Component::new(engine, bytes).map_err(|e| {
        refuse(ErrorKind::InvalidInput, format!("it is not valid: {}", describe(&e)))
            .with_remedy("build it again; `wasm-tools validate` says more")
            .with_source(e.into_boxed_dyn_error())
    })?;
    let ty = component.component_type();
    let imports: Vec<String> = ty.imports(engine).map(|(name, _)| name.to_owned()).collect();
    if deny_imports && !imports.is_empty() {
        let message = format!("it imports {}", imports.join(", "));
        return Err(refuse(ErrorKind::Incompatible, message).with_remedy(
            "build it without them, or allow imports: calling one is an error all the same",
        ));
    }
    let exports: Vec<&str> = ty.exports(engine).map(|(name, _)| name).collect();
    let speaks = version(&exports)?;
    let mut linker = Linker::new(engine);
    let instances = linker
        .define_unknown_imports_as_traps(&component)
        .and_then(|()| linker.instantiate_pre(&component))
        .and_then(ScoringFilterPre::new)
        .map_err(|e| {
            let message = format!("it does not fit detoxlm:filter@{speaks}: {}", describe(&e));
            refuse(ErrorKind::Incompatible, message)
                .with_remedy("build it against the published filter.wit")
                .with_source(e.into_boxed_dyn_error())
        })?;
    Ok(Linked { instances, imports, speaks })
}

/// Whether bytes are a component at all. A WebAssembly file begins with its magic number and then says what
/// it is.
pub(crate) fn check_kind(bytes: &[u8]) -> Result<()> {
    let (message, remedy) = match bytes {
        [b'\0', b'a', b's', b'm', 0x0d, 0, 1, 0, ..] => return Ok(()),
        [b'\0', b'a', b's', b'm', 1, 0, 0, 0, ..] => (
            "it is a core module, not a component",
            "`detoxlm plugin pack` makes a component of it",
        ),
        [b'\0', b'a', b's', b'm', ..] => {
            ("it is WebAssembly of an unknown version", "build it with current tools")
        }
        _ => {
            ("it is not WebAssembly", "name a component, NAME.wasm, or a folder with a plugin.toml")
        }
    };
    Err(refuse(ErrorKind::InvalidInput, message.to_owned()).with_remedy(remedy))
}

/// The version of the contract that a component speaks.
fn version(exports: &[&str]) -> Result<String> {
    let mut versions = exports.iter().filter_map(|name| name.strip_prefix(INTERFACE)).peekable();
    if versions.peek().is_none() {
        let listed = match exports {
            [] => "nothing".to_owned(),
            exports => exports.join(", "),
        };
        let message = format!("it is no scoring filter: it exports {listed}");
        return Err(refuse(ErrorKind::Incompatible, message)
            .with_remedy(format!("export detoxlm:filter/scoring, version {SPOKEN}.x")));
    }
    let spoken =
        |version: &str| version.strip_prefix(SPOKEN).is_some_and(|rest| rest.starts_with('.'));
    let all: Vec<&str> = versions.collect();
    match all.iter().find(|version| spoken(version)) {
        Some(version) => Ok((*version).to_owned()),
        None => {
            let message =
                format!("it speaks detoxlm:filter {}, and this host {SPOKEN}.x", all.join(" and "));
            Err(refuse(ErrorKind::Incompatible, message)
                .with_remedy("build it against this version's filter.wit, or update detoxlm"))
        }
    }
}

/// All that wasmtime says of an error, on one line.
fn describe(error: &wasmtime::Error) -> String {
    one_line(&format!("{error:#}"))
}

fn refuse(kind: ErrorKind, message: String) -> Error {
    Error::new(kind, COMPONENT, OPERATION, message)
}
