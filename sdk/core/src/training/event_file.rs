//! Event files, as TensorBoard reads them: one record an event, each an `Event` message of
//! TensorFlow's `event.proto` in the framing of TFRecord.

use std::fs::{File, OpenOptions};
use std::io::{BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::files::create_directory;
use crate::{Error, Result};

/// In the directory of a training. TensorBoard knows its files by `tfevents` in their names.
const FOLDER: &str = "tensorboard";
const FILE: &str = "events.out.tfevents.0000000000.detoxlm";
/// What the first event of every file says.
const VERSION: &str = "brain.Event:2";
/// Our events are far shorter: a longer record is not one of ours.
const LONGEST: u64 = 1 << 16;

/// An append-only file of scalars by step.
#[derive(Debug)]
pub(super) struct EventFile {
    path: PathBuf,
    file: File,
}

impl EventFile {
    /// Opens the file of a training that goes on after `step` steps: events of later steps, which will
    /// be taken again, and a record that an interruption cut are forgotten.
    pub(super) fn open(work: &Path, step: u64) -> Result<Self> {
        create_directory(work.join(FOLDER))?;
        let path = work.join(FOLDER).join(FILE);
        let failed = |e| Error::io("training", "write events", &path, e);
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&path)
            .map_err(failed)?;
        // At step 0 the first validation comes again, too.
        let length = if step == 0 { 0 } else { length_until(&file, step).map_err(failed)? };
        file.set_len(length).map_err(failed)?;
        file.seek(SeekFrom::Start(length)).map_err(failed)?;
        let mut events = Self { path, file };
        if length == 0 {
            events.write(0, &field(3, VERSION.as_bytes()))?;
        }
        Ok(events)
    }

    /// Adds the scalars of a step by their names.
    pub(super) fn append(&mut self, step: u64, scalars: &[(&str, f64)]) -> Result<()> {
        let mut summary = Vec::new();
        for (name, value) in scalars {
            let mut entry = field(1, name.as_bytes());
            // Field 2, four bytes: TensorBoard's scalars are f32.
            entry.push(2 << 3 | 5);
            entry.extend((*value as f32).to_le_bytes());
            summary.extend(field(1, &entry));
        }
        self.write(step, &field(5, &summary))
    }

    /// Makes all events durable.
    pub(super) fn sync(&self) -> Result<()> {
        self.file.sync_data().map_err(|e| Error::io("training", "write events", &self.path, e))
    }

    fn write(&mut self, step: u64, what: &[u8]) -> Result<()> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        self.file
            .write_all(&record(&event(now, step, what)))
            .map_err(|e| Error::io("training", "write events", &self.path, e))
    }
}

/// An `Event`: `wall_time` is field 1, `step` field 2, always in this order and always there.
fn event(wall_time: f64, step: u64, what: &[u8]) -> Vec<u8> {
    let mut event = vec![1 << 3 | 1];
    event.extend(wall_time.to_le_bytes());
    event.push(2 << 3);
    event.extend(varint(step));
    event.extend(what);
    event
}

/// The step of an event that [`event`] made.
fn step_of(event: &[u8]) -> Option<u64> {
    let (header, rest) = event.split_at_checked(10)?;
    if (header[0], header[9]) != (1 << 3 | 1, 2 << 3) {
        return None;
    }
    let mut step = 0;
    for (index, byte) in rest.iter().enumerate().take(9) {
        step |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some(step);
        }
    }
    None
}

/// A field of bytes: its number, its length, itself.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut field = vec![number << 3 | 2];
    field.extend(varint(bytes.len() as u64));
    field.extend(bytes);
    field
}

/// Seven bits a byte, the lowest first; the eighth says that more follow.
fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let byte = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 {
            bytes.push(byte);
            return bytes;
        }
        bytes.push(byte | 0x80);
    }
}

/// TFRecord: the length and its checksum, the bytes and theirs.
fn record(bytes: &[u8]) -> Vec<u8> {
    let length = (bytes.len() as u64).to_le_bytes();
    let mut record = length.to_vec();
    record.extend(masked_checksum(&length).to_le_bytes());
    record.extend(bytes);
    record.extend(masked_checksum(bytes).to_le_bytes());
    record
}

/// The bytes of the whole records at the beginning of a file that are of `step` or of earlier ones.
fn length_until(file: &File, step: u64) -> std::io::Result<u64> {
    let mut reader = BufReader::new(file);
    let mut length = 0;
    while let Some(event) = next_record(&mut reader)? {
        if step_of(&event).is_none_or(|of| of > step) {
            break;
        }
        // Length and both checksums.
        length += event.len() as u64 + 16;
    }
    Ok(length)
}

/// The next record; `None` at the end, and where the file is broken.
fn next_record(reader: &mut impl Read) -> std::io::Result<Option<Vec<u8>>> {
    let mut read = |length: u64| -> std::io::Result<Option<Vec<u8>>> {
        let mut bytes = Vec::new();
        reader.take(length).read_to_end(&mut bytes)?;
        Ok((bytes.len() as u64 == length).then_some(bytes))
    };
    let Some(header) = read(12)? else { return Ok(None) };
    let (length, checksum) = header.split_at(8);
    let expected = masked_checksum(length).to_le_bytes();
    let length = length.try_into().map_or(u64::MAX, u64::from_le_bytes);
    if checksum != expected || length > LONGEST {
        return Ok(None);
    }
    let Some(bytes) = read(length)? else { return Ok(None) };
    let Some(checksum) = read(4)? else { return Ok(None) };
    Ok((checksum == masked_checksum(&bytes).to_le_bytes()).then_some(bytes))
}

/// As TFRecord stores checksums: a checksum of bytes with checksums in them would be weak.
fn masked_checksum(bytes: &[u8]) -> u32 {
    crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// CRC-32C (Castagnoli), reflected; a few hundred bytes a step need no table.
fn crc32c(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 };
        }
    }
    !crc
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// As `event.proto` and `summary.proto` have them, decoded by a library.
    #[derive(prost::Message)]
    struct Event {
        #[prost(double, tag = "1")]
        wall_time: f64,
        #[prost(int64, tag = "2")]
        step: i64,
        #[prost(string, tag = "3")]
        file_version: String,
        #[prost(message, optional, tag = "5")]
        summary: Option<Summary>,
    }

    #[derive(prost::Message)]
    struct Summary {
        #[prost(message, repeated, tag = "1")]
        value: Vec<Value>,
    }

    #[derive(prost::Message)]
    struct Value {
        #[prost(string, tag = "1")]
        tag: String,
        #[prost(float, tag = "2")]
        simple_value: f32,
    }

    fn path(work: &Path) -> PathBuf {
        work.join(FOLDER).join(FILE)
    }

    fn events(work: &Path) -> Vec<Event> {
        let bytes = fs::read(path(work)).unwrap();
        let mut reader = bytes.as_slice();
        let mut events = Vec::new();
        while let Some(record) = next_record(&mut reader).unwrap() {
            events.push(prost::Message::decode(record.as_slice()).unwrap());
        }
        assert!(reader.is_empty(), "the file is whole");
        events
    }

    fn steps(work: &Path) -> Vec<i64> {
        events(work).iter().filter(|event| event.summary.is_some()).map(|e| e.step).collect()
    }

    #[test]
    fn the_checksum_is_the_published_one() {
        // RFC 3720, B.4.
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
    }

    #[test]
    fn another_decoder_reads_what_was_written() {
        let root = tempfile::tempdir().unwrap();
        let mut file = EventFile::open(root.path(), 0).unwrap();
        file.append(300, &[("train/loss", 2.5), ("train/learning_rate", 1e-5)]).unwrap();
        file.sync().unwrap();
        let events = events(root.path());
        assert_eq!((events[0].file_version.as_str(), events[0].step), (VERSION, 0));
        assert!(events[1].wall_time > 1.7e9 && events[1].step == 300);
        let values: Vec<_> = events[1].summary.as_ref().unwrap().value.iter().collect();
        assert_eq!((values[0].tag.as_str(), values[0].simple_value), ("train/loss", 2.5));
        assert_eq!((values[1].tag.as_str(), values[1].simple_value), ("train/learning_rate", 1e-5));
    }

    #[test]
    fn steps_that_come_again_are_written_once_and_a_cut_record_is_forgotten() {
        let root = tempfile::tempdir().unwrap();
        let mut file = EventFile::open(root.path(), 0).unwrap();
        for step in 0..=200 {
            file.append(step, &[("loss", 1.0)]).unwrap();
        }
        drop(file);
        let whole = fs::read(path(root.path())).unwrap();
        fs::write(path(root.path()), &whole[..whole.len() - 3]).unwrap();
        for (step, last) in [(200, 199), (150, 150)] {
            drop(EventFile::open(root.path(), step).unwrap());
            assert_eq!(steps(root.path()), (0..=last).collect::<Vec<_>>());
        }
        let mut file = EventFile::open(root.path(), 150).unwrap();
        file.append(151, &[("loss", 1.0)]).unwrap();
        assert_eq!(steps(root.path()).last(), Some(&151));
        drop(EventFile::open(root.path(), 0).unwrap());
        assert_eq!((steps(root.path()).len(), events(root.path()).len()), (0, 1));
    }

    #[test]
    fn what_is_no_event_file_is_begun_anew() {
        let root = tempfile::tempdir().unwrap();
        create_directory(root.path().join(FOLDER)).unwrap();
        fs::write(path(root.path()), "something else, and long enough for a header").unwrap();
        drop(EventFile::open(root.path(), 5).unwrap());
        assert_eq!(events(root.path()).len(), 1);
    }
}
