//! Where and in what numbers libtorch computes, once it is known to be there.

use std::sync::OnceLock;

use detoxlm_core::{Compute, Device, Error, ErrorKind, Precision, Result};
use detoxlm_transformer::eager::{Computed, Place, Tensor as _};
use tch::{Cuda, Kind, TchError};

use crate::error::{COMPONENT, error, failed};
use crate::options::TchOptions;
use crate::tensor::{TchTensor, kind, sizes};

const OPERATION: &str = "use the device";

/// A device that is there, and the numbers that are multiplied on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TchPlace {
    pub(crate) device: tch::Device,
    /// What was asked for, with the device that it came to.
    compute: Compute,
}

impl TchPlace {
    /// Finds the device and sets the number of threads.
    ///
    /// # Errors
    /// When the device is not there: a GPU that was asked for is never replaced by the processor.
    pub(crate) fn find(options: TchOptions) -> Result<Self> {
        if let Some(threads) = options.threads {
            let Some(threads) = i32::try_from(threads).ok().filter(|&threads| threads > 0) else {
                return Err(error(ErrorKind::InvalidConfig, "start threads", "must be at least 1")
                    .with_key("threads"));
            };
            tch::set_num_threads(threads);
        }
        if !matches!(options.compute.precision, Precision::F32 | Precision::Bf16) {
            let message = format!("it does not compute in {}", options.compute.precision);
            return Err(error(ErrorKind::Unsupported, OPERATION, message)
                .with_key("precision")
                .with_remedy("choose f32 or bf16"));
        }
        let device = device(options.compute.device)?;
        let found = match device {
            tch::Device::Cuda(index) => Device::Cuda(index),
            _ => Device::Cpu,
        };
        Ok(Self { device, compute: options.compute.with_device(found) })
    }

    pub(crate) const fn kind(self) -> Kind {
        kind(self.compute.precision)
    }

    /// What comes from the host, here.
    fn upload(self, host: tch::Tensor, shape: &[usize]) -> Computed<tch::Tensor, Self> {
        host.f_to(self.device)?.f_reshape(sizes(shape))
    }
}

impl Place for TchPlace {
    type Tensor = TchTensor;

    const COMPONENT: &'static str = COMPONENT;

    fn compute(&self) -> Compute {
        self.compute
    }

    fn with_precision(&self, precision: Precision) -> Self {
        Self { compute: self.compute.with_precision(precision), ..*self }
    }

    fn numbers(
        &self,
        values: &[f32],
        shape: &[usize],
        precision: Precision,
    ) -> Computed<TchTensor, Self> {
        let host = tch::Tensor::f_from_slice(values)?;
        TchTensor(self.upload(host, shape)?).to(precision)
    }

    fn zeros(&self, shape: &[usize], precision: Precision) -> Computed<TchTensor, Self> {
        let options = (kind(precision), self.device);
        tch::Tensor::f_zeros(sizes(shape), options).map(TchTensor)
    }

    fn ids(&self, ids: &[u32], shape: &[usize]) -> Computed<TchTensor, Self> {
        let ids: Vec<i64> = ids.iter().map(|&id| i64::from(id)).collect();
        self.upload(tch::Tensor::f_from_slice(&ids)?, shape).map(TchTensor)
    }

    fn mask(&self, read: &[bool], shape: &[usize]) -> Computed<TchTensor, Self> {
        self.upload(tch::Tensor::f_from_slice(read)?, shape).map(TchTensor)
    }

    fn failed(operation: &'static str) -> impl Fn(TchError) -> Error {
        failed(operation)
    }
}

fn device(wanted: Device) -> Result<tch::Device> {
    let refuse = |kind, message: String| {
        Err(error(kind, OPERATION, message)
            .with_key("device")
            .with_remedy("choose cpu, or auto, which takes a GPU where there is one"))
    };
    match wanted {
        Device::Cpu => Ok(tch::Device::Cpu),
        Device::Auto if gpus().is_ok_and(|count| count > 0) => Ok(tch::Device::Cuda(0)),
        Device::Auto => Ok(tch::Device::Cpu),
        Device::Cuda(index) => match gpus() {
            Ok(0) => refuse(ErrorKind::NotFound, "libtorch finds no GPU".to_owned()),
            Ok(count) if index < count => Ok(tch::Device::Cuda(index)),
            Ok(count) => refuse(
                ErrorKind::NotFound,
                format!("there is no {wanted}: libtorch finds {count}, from cuda:0 on"),
            ),
            Err(reason) => refuse(
                ErrorKind::NotFound,
                format!("libtorch's library for GPUs cannot be loaded: {reason}"),
            ),
        },
        other => refuse(ErrorKind::Unsupported, format!("it does not compute on {other}")),
    }
}

/// How many GPUs libtorch finds, or why it cannot look: its library for GPUs is not there, or does not load.
///
/// # Errors
/// The reason, in the words of the system's loader.
pub fn gpus() -> std::result::Result<usize, &'static str> {
    static FOUND: OnceLock<std::result::Result<usize, String>> = OnceLock::new();
    let look = || {
        load_gpu_library()?;
        Ok(if Cuda::is_available() { Cuda::device_count().try_into().unwrap_or(0) } else { 0 })
    };
    FOUND.get_or_init(look).as_ref().map(|count| *count).map_err(String::as_str)
}

/// Loads what makes libtorch's processor library find GPUs. Nothing links it, so that one binary runs
/// with either libtorch; libtorch asks once whether it is there, so it must come before every question
/// about GPUs.
#[cfg(unix)]
fn load_gpu_library() -> std::result::Result<(), String> {
    use std::error::Error as _;

    use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};

    const NAME: &str = "libtorch_cuda.so";
    // SAFETY: the library's initialisers register kernels with the libtorch that is loaded already, of
    // the same build; it is looked for where that one was found, and stays loaded for good.
    let library = unsafe { Library::open(Some(NAME), RTLD_NOW | RTLD_GLOBAL) };
    // What failed is the error's own text, and why is that of its source.
    let reason = |e: libloading::Error| e.source().map_or(e.to_string(), ToString::to_string);
    std::mem::forget(library.map_err(reason)?);
    Ok(())
}

/// Elsewhere the linker has seen to it.
#[cfg(not(unix))]
fn load_gpu_library() -> std::result::Result<(), String> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(device: Device) -> Result<TchPlace> {
        TchPlace::find(TchOptions::default().with_compute(Compute::default().with_device(device)))
    }

    #[test]
    fn a_device_that_is_not_there_is_refused_by_name() {
        assert_eq!(found(Device::Cpu).unwrap().device, tch::Device::Cpu);
        let error = found(Device::Metal(0)).unwrap_err();
        assert_eq!((error.kind(), error.key()), (ErrorKind::Unsupported, Some("device")));
        let error = found(Device::Cuda(99)).unwrap_err();
        assert_eq!((error.kind(), error.key()), (ErrorKind::NotFound, Some("device")));
        assert!(error.to_string().contains("choose cpu"), "{error}");
        let automatic = found(Device::Auto).unwrap();
        assert_eq!(automatic.is_gpu(), gpus().is_ok_and(|count| count > 0));
        assert_ne!(automatic.compute.device, Device::Auto);
    }

    #[test]
    fn no_threads_are_refused_by_name() {
        let error = TchPlace::find(TchOptions::default().with_threads(0)).unwrap_err();
        assert_eq!(error.to_string(), "tch: cannot start threads: `threads`: must be at least 1");
    }
}
