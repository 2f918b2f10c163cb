use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;
use flate2::write::GzEncoder;

use crate::files::AtomicFile;

const BUFFER: usize = 1 << 16;

/// What a file's name says of its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Compression {
    None,
    Gzip,
    Zstandard,
}

impl Compression {
    fn of(path: &Path) -> Self {
        match path.extension().and_then(OsStr::to_str) {
            Some("gz") => Self::Gzip,
            Some("zst") => Self::Zstandard,
            _ => Self::None,
        }
    }
}

/// Whether a path means standard input or output.
pub(super) fn is_standard_stream(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// Opens a file for reading, uncompressed on the way; `-` is standard input.
pub(super) fn reader(path: &Path) -> io::Result<Box<dyn BufRead + Send>> {
    if is_standard_stream(path) {
        return Ok(Box::new(BufReader::with_capacity(BUFFER, io::stdin())));
    }
    let file = BufReader::with_capacity(BUFFER, File::open(path)?);
    Ok(match Compression::of(path) {
        Compression::None => Box::new(file),
        // A gzip file may be several members in a row: `cat a.gz b.gz`, and what `pigz` writes.
        Compression::Gzip => Box::new(BufReader::with_capacity(BUFFER, MultiGzDecoder::new(file))),
        Compression::Zstandard => Box::new(BufReader::with_capacity(
            BUFFER,
            zstd::stream::read::Decoder::with_buffer(file)?,
        )),
    })
}

/// Where lines go.
pub(super) enum Sink {
    Plain(AtomicFile),
    Gzip(GzEncoder<AtomicFile>),
    Zstandard(zstd::stream::write::Encoder<'static, AtomicFile>),
    StandardOutput(io::BufWriter<io::Stdout>),
}

impl Sink {
    /// Compresses into `file` as the name of its target asks for. The bytes depend on the content
    /// alone: neither format gets a time stamp or a file name.
    pub(super) fn new(target: &Path, file: AtomicFile) -> io::Result<Self> {
        Ok(match Compression::of(target) {
            Compression::None => Self::Plain(file),
            Compression::Gzip => Self::Gzip(GzEncoder::new(file, flate2::Compression::default())),
            Compression::Zstandard => {
                let mut encoder = zstd::stream::write::Encoder::new(file, 0)?;
                encoder.include_checksum(true)?;
                Self::Zstandard(encoder)
            }
        })
    }

    pub(super) fn standard_output() -> Self {
        Self::StandardOutput(io::BufWriter::with_capacity(BUFFER, io::stdout()))
    }

    /// Ends the compressed stream and gives the file back, to be committed; `None` for standard
    /// output.
    pub(super) fn finish(self) -> io::Result<Option<AtomicFile>> {
        match self {
            Self::Plain(file) => Ok(Some(file)),
            Self::Gzip(encoder) => encoder.finish().map(Some),
            Self::Zstandard(encoder) => encoder.finish().map(Some),
            Self::StandardOutput(mut output) => output.flush().map(|()| None),
        }
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(file) => file.write(bytes),
            Self::Gzip(encoder) => encoder.write(bytes),
            Self::Zstandard(encoder) => encoder.write(bytes),
            Self::StandardOutput(output) => output.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(file) => file.flush(),
            Self::Gzip(encoder) => encoder.flush(),
            Self::Zstandard(encoder) => encoder.flush(),
            Self::StandardOutput(output) => output.flush(),
        }
    }
}
