//! What is outside the program: libraries, keys, caches, devices.

use std::fs;

use detoxlm::Sample;

use super::Finding;
use crate::session::{DEFAULT_SCORER, Session};

/// Where the driver says which one it is.
const NVIDIA_DRIVER: &str = "/proc/driver/nvidia/version";

pub(super) async fn findings(session: &Session) -> Vec<Finding> {
    let mut findings = vec![scorer(session).await];
    findings.extend(onnx_runtime());
    findings.extend(perspective());
    findings.extend(hub());
    findings.push(nvidia());
    findings.extend(candle());
    findings.extend(libtorch());
    findings
}

/// Scores a text with the scorer that is used when none is named, on the engine of this process.
async fn scorer(session: &Session) -> Finding {
    let name = "default scorer";
    let scorer = match session.registry.scorer(DEFAULT_SCORER) {
        Ok(scorer) => scorer,
        Err(error) => return Finding::broken(name, &error),
    };
    match scorer.score(&[Sample::new("Good morning.")]).await {
        Ok(_) => Finding::ready(name, scorer.info().to_string()),
        Err(error) => Finding::broken(name, &error),
    }
}

#[cfg(feature = "onnx")]
fn onnx_runtime() -> Option<Finding> {
    use std::path::Path;

    use detoxlm::onnx::LIBRARY_VARIABLE;

    let name = "ONNX Runtime";
    let library = std::env::var_os(LIBRARY_VARIABLE).filter(|value| !value.is_empty());
    Some(match library {
        // The default scorer runs on it, and says if it cannot.
        Some(library) if Path::new(&library).is_file() => {
            Finding::ready(name, Path::new(&library).display().to_string())
        }
        Some(library) => Finding::absent(
            name,
            format!("{LIBRARY_VARIABLE} names {}, which is no file", Path::new(&library).display()),
            "name libonnxruntime.so, or unset the variable for the built-in engine",
        ),
        None => Finding::absent(
            name,
            "not named: classifiers run on the built-in engine",
            format!("for speed, set {LIBRARY_VARIABLE} to the path of libonnxruntime.so"),
        ),
    })
}

#[cfg(not(feature = "onnx"))]
const fn onnx_runtime() -> Option<Finding> {
    None
}

#[cfg(feature = "perspective")]
fn perspective() -> Option<Finding> {
    use detoxlm::perspective::KEY_VARIABLE;

    let name = "Perspective key";
    let is_set = std::env::var_os(KEY_VARIABLE).is_some_and(|key| !key.is_empty());
    Some(if is_set {
        Finding::ready(name, format!("{KEY_VARIABLE} is set; the service ends on 31 December 2026"))
    } else {
        Finding::absent(
            name,
            format!("{KEY_VARIABLE} is not set; the service ends on 31 December 2026"),
            "none is needed: local scorers are the default, and `serve` stands in for the service",
        )
    })
}

#[cfg(not(feature = "perspective"))]
const fn perspective() -> Option<Finding> {
    None
}

#[cfg(feature = "hub")]
fn hub() -> Option<Finding> {
    use detoxlm::hub::HubSettings;

    Some(match HubSettings::from_env() {
        Ok(settings) => {
            let how = if settings.offline { "offline, from" } else { "cached in" };
            let token = if settings.token.is_some() { "with a token" } else { "without a token" };
            Finding::ready("Hub", format!("{how} {}, {token}", settings.cache.display()))
        }
        Err(error) => Finding::broken("Hub", &error),
    })
}

#[cfg(not(feature = "hub"))]
const fn hub() -> Option<Finding> {
    None
}

/// What candle computes on.
#[cfg(feature = "candle")]
fn candle() -> Option<Finding> {
    let name = "candle";
    Some(match detoxlm::candle::gpu() {
        Ok(Some(gpu)) => Finding::ready(name, format!("computes on the processor and on {gpu}")),
        Ok(None) => Finding::ready(name, "computes on the processor: it was built without GPUs"),
        Err(error) => Finding::absent(
            name,
            format!("computes on the processor alone: {error}"),
            "for a GPU, see that its driver is there and that this program may use it",
        ),
    })
}

#[cfg(not(feature = "candle"))]
const fn candle() -> Option<Finding> {
    None
}

/// What libtorch computes on. That it is there, the program has found out when it was started.
#[cfg(feature = "tch")]
fn libtorch() -> Option<Finding> {
    let name = "libtorch";
    Some(match detoxlm::tch::gpus() {
        Ok(0) => Finding::ready(name, "computes on the processor: it finds no GPU"),
        Ok(count) => {
            let gpus: Vec<String> = (0..count).map(|gpu| format!("cuda:{gpu}")).collect();
            Finding::ready(name, format!("computes on the processor and on {}", gpus.join(", ")))
        }
        Err(reason) => Finding::absent(
            name,
            format!("computes on the processor alone: {reason}"),
            "for a GPU, put the folder of PyTorch's libtorch_cuda.so into LD_LIBRARY_PATH",
        ),
    })
}

#[cfg(not(feature = "tch"))]
const fn libtorch() -> Option<Finding> {
    None
}

fn nvidia() -> Finding {
    let driver = fs::read_to_string(NVIDIA_DRIVER).ok();
    match driver.as_deref().and_then(|text| text.lines().next()) {
        Some(line) => {
            Finding::ready("NVIDIA driver", line.trim_start_matches("NVRM version:").trim())
        }
        None => Finding::absent(
            "NVIDIA driver",
            "none",
            "none is needed: models run on the processor; on a GPU they are quicker",
        ),
    }
}
