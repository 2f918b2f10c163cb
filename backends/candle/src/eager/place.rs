//! Where candle computes, once it is known to be there.

use std::sync::Arc;

use candle_core::{Device as CandleDevice, Tensor as Candle};
use detoxlm_core::{Compute, Device, Error, ErrorKind, Precision, Result};
use detoxlm_transformer::eager::{Computed, Place, Tensor as _};
use rayon::ThreadPool;

use super::tensor::{CandleTensor, dtype};
use crate::error::{COMPONENT, error};
use crate::options::CandleOptions;

const OPERATION: &str = "use the device";

/// A device that is there, and the numbers that are multiplied on it.
#[derive(Clone, Debug)]
pub(crate) struct CandlePlace {
    device: CandleDevice,
    /// What was asked for, with the device that it came to.
    compute: Compute,
    /// The host's threads, whose stacks are deep: candle walks a graph recursively.
    pool: Arc<ThreadPool>,
}

impl CandlePlace {
    /// Finds a device that is no processor; nothing where the processor is meant.
    ///
    /// # Errors
    /// When the device is not there, or this program was built without it: a GPU that was asked for is never
    /// replaced by the processor.
    pub(crate) fn find(options: CandleOptions) -> Result<Option<Self>> {
        let (device, found) = match options.compute.device {
            Device::Cpu => return Ok(None),
            Device::Auto => match first() {
                Ok(Some(found)) => found,
                // Nobody asked for one.
                Ok(None) | Err(_) => return Ok(None),
            },
            wanted @ (Device::Cuda(_) | Device::Metal(_)) => (open(wanted)?, wanted),
            other => {
                let message = format!("it does not compute on {other}");
                return Err(error(ErrorKind::Unsupported, OPERATION, message).with_key("device"));
            }
        };
        Self::on(device, options.compute.with_device(found), options).map(Some)
    }

    /// The processor, through candle's own operations.
    #[cfg(test)]
    pub(crate) fn processor(options: CandleOptions) -> Result<Self> {
        Self::on(CandleDevice::Cpu, options.compute.with_device(Device::Cpu), options)
    }

    pub(super) const fn device(&self) -> &CandleDevice {
        &self.device
    }

    fn on(device: CandleDevice, compute: Compute, options: CandleOptions) -> Result<Self> {
        Ok(Self { device, compute, pool: options.pool()? })
    }
}

/// The GPU that is taken where none is named; nothing where this program was built without any.
///
/// # Errors
/// When it was built with GPUs, and none can be used: why.
pub fn gpu() -> Result<Option<Device>> {
    Ok(first()?.map(|(_, gpu)| gpu))
}

/// The first GPU of a kind that this program was built with.
fn first() -> Result<Option<(CandleDevice, Device)>> {
    for gpu in [Device::Cuda(0), Device::Metal(0)] {
        if is_built_for(gpu) {
            return Ok(Some((open(gpu)?, gpu)));
        }
    }
    Ok(None)
}

const fn is_built_for(device: Device) -> bool {
    match device {
        Device::Cuda(_) => cfg!(feature = "cuda"),
        Device::Metal(_) => cfg!(feature = "metal"),
        _ => false,
    }
}

/// Opens a GPU.
fn open(gpu: Device) -> Result<CandleDevice> {
    let (feature, new): (_, fn(usize) -> candle_core::Result<CandleDevice>) = match gpu {
        Device::Metal(_) => ("candle-metal", CandleDevice::new_metal),
        _ => ("candle-cuda", CandleDevice::new_cuda),
    };
    if !is_built_for(gpu) {
        let message = format!("this program was built without {gpu}");
        return Err(error(ErrorKind::Unsupported, OPERATION, message)
            .with_key("device")
            .with_remedy(format!(
                "build it with the feature {feature}, choose cpu, or the backend tch"
            )));
    }
    let (Device::Cuda(index) | Device::Metal(index)) = gpu else {
        let message = format!("{gpu} is no GPU");
        return Err(error(ErrorKind::Internal, OPERATION, message));
    };
    new(index).map_err(|e| {
        error(ErrorKind::NotFound, OPERATION, format!("there is no {gpu}: {e}"))
            .with_key("device")
            .with_remedy("choose cpu, or auto, which takes a GPU where there is one")
            .with_source(e)
    })
}

impl Place for CandlePlace {
    type Tensor = CandleTensor;

    const COMPONENT: &'static str = COMPONENT;

    fn compute(&self) -> Compute {
        self.compute
    }

    fn with_precision(&self, precision: Precision) -> Self {
        Self { compute: self.compute.with_precision(precision), ..self.clone() }
    }

    fn numbers(
        &self,
        values: &[f32],
        shape: &[usize],
        precision: Precision,
    ) -> Computed<CandleTensor, Self> {
        CandleTensor(Candle::from_slice(values, shape, &self.device)?).to(precision)
    }

    fn zeros(&self, shape: &[usize], precision: Precision) -> Computed<CandleTensor, Self> {
        Candle::zeros(shape, dtype(precision), &self.device).map(CandleTensor)
    }

    fn ids(&self, ids: &[u32], shape: &[usize]) -> Computed<CandleTensor, Self> {
        Candle::from_slice(ids, shape, &self.device).map(CandleTensor)
    }

    fn mask(&self, read: &[bool], shape: &[usize]) -> Computed<CandleTensor, Self> {
        let read: Vec<u8> = read.iter().map(|&read| u8::from(read)).collect();
        Candle::from_slice(&read, shape, &self.device).map(CandleTensor)
    }

    fn run<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        self.pool.install(work)
    }

    fn failed(operation: &'static str) -> impl Fn(candle_core::Error) -> Error {
        move |e| {
            let text = e.to_string();
            let text = text.lines().next().unwrap_or_default().to_owned();
            let is_full = ["OUT_OF_MEMORY", "out of memory"];
            if is_full.iter().any(|full| text.contains(full)) {
                return error(ErrorKind::OutOfMemory, operation, text)
                    .with_remedy("use smaller batches or fewer rows, or gradient_checkpointing")
                    .with_source(e);
            }
            error(ErrorKind::Internal, operation, text).with_source(e)
        }
    }
}
