//! Bytes as they come, told to an observer.

use detoxlm_core::{Event, Observer, Stage};

/// One file on its way. An attempt that begins again tells nothing twice.
#[derive(Debug)]
pub(crate) struct FileProgress<'a> {
    observer: &'a dyn Observer,
    position: u64,
    told: u64,
}

impl<'a> FileProgress<'a> {
    pub(crate) const fn new(observer: &'a dyn Observer) -> Self {
        Self { observer, position: 0, told: 0 }
    }

    /// The file is complete with this many bytes, wherever they came from.
    pub(crate) fn complete(&mut self, size: u64) {
        self.position = size;
        self.tell();
    }

    fn tell(&mut self) {
        let count = self.position.saturating_sub(self.told);
        if count > 0 {
            self.told = self.position;
            self.observer.observe(&Event::StageAdvanced { stage: Stage::Fetch, count });
        }
    }
}

impl hf_hub::api::Progress for &mut FileProgress<'_> {
    fn init(&mut self, _: usize, _: &str) {
        self.position = 0;
    }

    fn update(&mut self, bytes: usize) {
        self.position += bytes as u64;
        self.tell();
    }

    fn finish(&mut self) {}
}
