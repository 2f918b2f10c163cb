//! Where a model computes.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Error, ErrorKind, Result};

/// Where a model computes, as configurations write it: `auto`, `cpu`, `cuda`, `cuda:1`, `metal`.
///
/// Which of them a framework can serve, it says when it is asked to: a device that is not there is an
/// error, never another device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[non_exhaustive]
pub enum Device {
    /// The fastest that the framework finds.
    #[default]
    Auto,
    /// The processor.
    Cpu,
    /// An NVIDIA GPU, by its number from 0 on.
    Cuda(usize),
    /// An Apple GPU, by its number from 0 on.
    Metal(usize),
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(index) => write!(f, "cuda:{index}"),
            Self::Metal(index) => write!(f, "metal:{index}"),
        }
    }
}

impl FromStr for Device {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let (kind, index) = match name.split_once(':') {
            Some((kind, index)) => (kind, index.parse().ok()),
            None => (name, Some(0)),
        };
        match (kind, index) {
            ("auto", _) if name == "auto" => Ok(Self::Auto),
            ("cpu", _) if name == "cpu" => Ok(Self::Cpu),
            ("cuda", Some(index)) => Ok(Self::Cuda(index)),
            ("metal", Some(index)) => Ok(Self::Metal(index)),
            _ => Err(Error::new(
                ErrorKind::InvalidConfig,
                "core",
                "choose a device",
                format!("\"{name}\" is no device"),
            )
            .with_key("device")
            .with_remedy("write auto, cpu, cuda, cuda:N, metal or metal:N")),
        }
    }
}

impl TryFrom<String> for Device {
    type Error = Error;

    fn try_from(name: String) -> Result<Self> {
        name.parse()
    }
}

impl From<Device> for String {
    fn from(device: Device) -> Self {
        device.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_read_as_they_are_written() {
        for (name, device) in [
            ("auto", Device::Auto),
            ("cpu", Device::Cpu),
            ("cuda", Device::Cuda(0)),
            ("cuda:3", Device::Cuda(3)),
            ("metal", Device::Metal(0)),
        ] {
            assert_eq!(name.parse::<Device>().unwrap(), device);
            assert_eq!(device.to_string().parse::<Device>().unwrap(), device);
            let written = serde_json::to_string(&device).unwrap();
            assert_eq!(serde_json::from_str::<Device>(&written).unwrap(), device);
        }
    }

    #[test]
    fn what_is_no_device_lists_those_there_are() {
        for name in ["", "gpu", "cpu:0", "auto:1", "cuda:", "cuda:x", "cuda:-1", "CPU"] {
            let error = name.parse::<Device>().unwrap_err();
            assert_eq!((error.kind(), error.key()), (ErrorKind::InvalidConfig, Some("device")));
            assert!(error.to_string().contains("cuda:N"), "{error}");
        }
    }
}
