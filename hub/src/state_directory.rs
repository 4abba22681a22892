//! The state directory: made with mode 0700, its secrets with 0600. A secret that others can read is refused.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::secret::Secret;

/// Makes the directory when it is not there, and takes it from group and others when it is.
///
/// # Errors
/// It cannot be made or its mode cannot be set.
pub fn prepare(directory: &Path) -> anyhow::Result<PathBuf> {
    let shown = directory.display();
    fs::DirBuilder::new().recursive(true).mode(0o700).create(directory).with_context(|| {
        format!("STATE_DIRECTORY is \"{shown}\", which cannot be made; name a directory this user may write")
    })?;
    let mode = fs::metadata(directory).with_context(|| format!("{shown} cannot be read"))?.permissions().mode();
    if mode & 0o077 != 0 {
        fs::set_permissions(directory, fs::Permissions::from_mode(0o700))
            .with_context(|| format!("{shown} is open to other users and its mode cannot be set to 0700"))?;
    }
    fs::canonicalize(directory).with_context(|| format!("{shown} cannot be resolved"))
}

/// The signing key of sessions: read, or made on the first start.
///
/// # Errors
/// It cannot be read or written, or other users can read it (T278).
pub fn signing_key(directory: &Path) -> anyhow::Result<Secret> {
    let path = directory.join("jwt-secret-key");
    let shown = path.display();
    match fs::metadata(&path) {
        Ok(metadata) if metadata.permissions().mode() & 0o077 != 0 => {
            bail!("{shown} can be read by other users; set its mode to 0600, or remove it to sign everyone out");
        }
        Ok(_) => {
            let text = fs::read_to_string(&path).with_context(|| format!("{shown} cannot be read"))?;
            if text.trim().len() < 32 {
                bail!("{shown} holds fewer than 32 bytes; remove it and a new key is made");
            }
            Ok(Secret::new(text.trim()))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => make_key(directory, &path),
        Err(error) => Err(error).with_context(|| format!("{shown} cannot be read")),
    }
}

fn make_key(directory: &Path, path: &Path) -> anyhow::Result<Secret> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("no random bytes from the system: {error}"))?;
    let text: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
    // Written beside and renamed, so that a start that is cut short leaves no half key.
    let partial = directory.join("jwt-secret-key.new");
    let _ = fs::remove_file(&partial);
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&partial)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&partial, path).with_context(|| format!("{} cannot be written", path.display()))?;
    Ok(Secret::new(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_directory_and_its_key_belong_to_one_user() {
        let parent = tempfile::tempdir().unwrap();
        let directory = prepare(&parent.path().join("a/b")).unwrap();
        let first = signing_key(&directory).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&directory), mode(&directory.join("jwt-secret-key"))), (0o700, 0o600));
        assert!(signing_key(&directory).unwrap() == first, "a restart keeps the key");
    }

    #[test]
    fn t278_a_key_others_can_read_is_refused() {
        let parent = tempfile::tempdir().unwrap();
        signing_key(parent.path()).unwrap();
        let path = parent.path().join("jwt-secret-key");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(signing_key(parent.path()).unwrap_err().to_string().contains("0600"));
    }
}
