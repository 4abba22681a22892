//! Disks small enough to be filled.

use std::path::{Path, PathBuf};

/// File systems in memory that can be filled.
#[derive(Debug)]
pub struct Disks {
    /// Holds the spool directories of all workers; 1 MiB.
    pub spool: PathBuf,
    /// Holds the tables; 96 MiB.
    pub tables: PathBuf,
}

impl Disks {
    pub(super) fn mount(directory: &Path) -> Self {
        Self { spool: mount(directory, "spool", 1), tables: mount(directory, "tables", 96) }
    }

    pub(super) fn unmount(&self) {
        for disk in [&self.spool, &self.tables] {
            let _ = std::process::Command::new("umount").arg(disk).status();
        }
    }
}

fn mount(directory: &Path, name: &str, mib: u32) -> PathBuf {
    let path = directory.join(name);
    std::fs::create_dir(&path).unwrap();
    let options = format!("size={mib}m");
    let done = std::process::Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(&path).status();
    assert!(done.is_ok_and(|status| status.success()), "a small disk cannot be mounted; run it as root");
    path
}
