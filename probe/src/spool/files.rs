//! Files of the spool: their names, and how they come into being.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::{Open, Segment};

const SUFFIX: &str = ".ticks";

pub(super) fn path(directory: &Path, number: u64, ticks: u32) -> PathBuf {
    directory.join(format!("{number:012}-{ticks}{SUFFIX}"))
}

pub(super) fn open(directory: &Path) -> io::Result<Open> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    if fs::metadata(directory)?.mode() & 0o022 != 0 {
        return Err(io::Error::other("others may write there: chmod go-w, or delete it"));
    }
    let lock = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(directory.join("lock"))?;
    lock.try_lock().map_err(|error| match error {
        fs::TryLockError::WouldBlock => io::Error::other("another worker of this name uses it"),
        fs::TryLockError::Error(error) => error,
    })?;
    let mut segments = BTreeMap::new();
    for (number, ticks, path) in files(directory)? {
        segments.insert(number, Segment { ticks, bytes: fs::symlink_metadata(&path)?.len() });
    }
    Ok(Open { _lock: lock, segments })
}

/// Number, ticks and path of each file of ours; others are left alone.
pub(super) fn files(directory: &Path) -> io::Result<Vec<(u64, u32, PathBuf)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|n| n.to_str()).and_then(|n| n.strip_suffix(SUFFIX));
        let numbers = name.and_then(|n| n.split_once('-'));
        if let Some((Ok(number), Ok(ticks))) = numbers.map(|(n, t)| (n.parse(), t.parse())) {
            found.push((number, ticks, path));
        }
    }
    Ok(found)
}

pub(super) fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().create_new(true).write(true).mode(0o600).open(path)
}

/// The file and its name are on the disk when this returns.
pub(super) fn write(directory: &Path, mut file: File, bytes: &[u8]) -> io::Result<()> {
    file.write_all(bytes)?;
    file.sync_data()?;
    File::open(directory)?.sync_all()
}
