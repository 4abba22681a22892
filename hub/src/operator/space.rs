//! Room on the disk of the database.

use std::path::Path;

/// Bytes this user may still write there, and all there are. `None`: the system does not say.
pub(super) fn of(directory: &Path) -> Option<(i64, i64)> {
    let disk = rustix::fs::statvfs(directory).ok()?;
    let bytes = |blocks: u64| i64::try_from(blocks.saturating_mul(disk.f_frsize)).unwrap_or(i64::MAX);
    Some((bytes(disk.f_bavail), bytes(disk.f_blocks))).filter(|(_, total)| *total > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_has_no_more_room_than_it_has() {
        let (free, total) = of(Path::new("/")).expect("a disk");
        assert!((0..=total).contains(&free) && total > 1_000_000, "{free} of {total}");
        assert_eq!(of(Path::new("/nowhere/at/all")), None);
    }
}
