//! A memory store over a planned restart: taken up at start, written down when the last visitor was served.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use queue_core::store::MemoryStore;

/// The largest file that is read: ten million waiting visitors are about half of it.
const LARGEST: u64 = 1 << 30;

/// Where the rooms of a memory store are kept.
pub(super) struct Keeping {
    store: Arc<MemoryStore>,
    file: PathBuf,
}

impl Keeping {
    /// Takes up what was kept, if anything. It is set aside then: taken up a second time, after a crash, it would give
    /// places twice that were given meanwhile.
    pub(super) fn take_up(store: Arc<MemoryStore>, file: PathBuf) -> anyhow::Result<Self> {
        if file.exists() {
            let taken = read(&file).and_then(|kept| Ok(store.restore(&kept)?));
            let rooms = taken.with_context(|| {
                format!(
                    "{}: remove the file to begin with empty lines; waiting visitors then join anew",
                    file.display()
                )
            })?;
            let aside = with_suffix(&file, "taken");
            fs::rename(&file, &aside).with_context(|| format!("{} cannot be set aside", file.display()))?;
            tracing::info!(rooms, file = %file.display(), "the rooms go on where they were");
        }
        Ok(Self { store, file })
    }

    /// Writes the rooms down, whole or not at all.
    pub(super) fn write_down(&self) -> anyhow::Result<()> {
        let kept = self.store.keep();
        let unfinished = with_suffix(&self.file, "unfinished");
        let mut file = File::create(&unfinished).with_context(|| format!("{}", unfinished.display()))?;
        file.write_all(&kept)?;
        file.sync_all()?;
        fs::rename(&unfinished, &self.file).with_context(|| format!("{}", self.file.display()))?;
        tracing::info!(bytes = kept.len(), file = %self.file.display(), "the rooms are written down for the next start");
        Ok(())
    }
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    let mut kept = Vec::new();
    File::open(path)?.take(LARGEST + 1).read_to_end(&mut kept)?;
    ensure!(kept.len() as u64 <= LARGEST, "longer than {LARGEST} bytes");
    Ok(kept)
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    name.into()
}
