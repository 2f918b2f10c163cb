//! Runs a pipeline in a process of its own, which a test may kill, starve or measure:
//! `pipeline SETUP ROOT RUN [--on-permission]`.
//!
//! On Linux it ends with a line `peak N kB`, the most memory that it held.

use std::env;
use std::io::{self, BufReader, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use detoxlm::{Error, ErrorKind, Observer, Result, Silent};
use detoxlm_end_to_end::{OnPermission, Setup};

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let outcome = run(&arguments);
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<()> {
    let refused = |message| Error::new(ErrorKind::InvalidConfig, "end-to-end", "begin", message);
    let [setup, root, run, rest @ ..] = arguments else {
        return Err(refused("it takes SETUP ROOT RUN [--on-permission]"));
    };
    let observer: Arc<dyn Observer> = match rest {
        [] => Arc::new(Silent),
        [flag] if flag == "--on-permission" => {
            Arc::new(OnPermission::new(BufReader::new(io::stdin()), io::stdout()))
        }
        _ => return Err(refused("it knows no option but --on-permission")),
    };
    let setup: Setup = setup.parse()?;
    tokio::runtime::Builder::new_current_thread()
        .build()
        .map_err(|e| Error::io("end-to-end", "start a runtime", root, e))?
        .block_on(setup.run(Path::new(root), Path::new(run), observer))?;
    report_peak_memory();
    Ok(())
}

#[cfg(target_os = "linux")]
fn report_peak_memory() {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    if let Some(peak) = status.lines().find_map(|line| line.strip_prefix("VmHWM:")) {
        let _ = writeln!(io::stdout(), "peak {}", peak.trim());
    }
}

#[cfg(not(target_os = "linux"))]
fn report_peak_memory() {}
