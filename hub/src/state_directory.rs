//! The state directory: made with mode 0700, its secrets with 0600. A secret that others can read is refused.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{self as unix, DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};

use crate::secret::{Secret, SigningKeys};

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

const KEY: &str = "jwt-secret-key";
/// The one before, for as long as what it signed may be shown: sessions and links live seven days.
const OLD_KEY: &str = "jwt-secret-key.old";
const OLD_KEY_LIFE: Duration = Duration::from_secs(7 * 86_400);
/// Files of the directory that a backup takes along.
pub const KEYS: [&str; 2] = [KEY, OLD_KEY];

/// The signing keys of sessions and links: read, or made on the first start. The one before the last rotation is accepted
/// by a hub that starts within seven days of it; a later start removes it.
///
/// # Errors
/// One cannot be read or written, or other users can read it (T278).
pub fn signing_keys(directory: &Path) -> anyhow::Result<SigningKeys> {
    let current = match read_key(&directory.join(KEY))? {
        Some(key) => key,
        None => make_key(directory)?,
    };
    let old = directory.join(OLD_KEY);
    if is_over(&old) {
        fs::remove_file(&old).with_context(|| format!("{} cannot be removed", old.display()))?;
    }
    Ok(SigningKeys { current, accepted: read_key(&old)? })
}

/// Whether what an old key signed has run out. A clock that was set back makes a key young, which does no harm.
fn is_over(old: &Path) -> bool {
    let made_at = fs::metadata(old).and_then(|metadata| metadata.modified());
    made_at.is_ok_and(|at| at.elapsed().is_ok_and(|age| age > OLD_KEY_LIFE))
}

/// Makes a new signing key; what the present one signed is accepted for seven more days. A hub that runs takes it on at its
/// next start.
///
/// # Errors
/// The key before counts still, and would not any more: a hub that was not started since signs with it. Or a key cannot be
/// read or written.
pub fn rotate_keys(directory: &Path) -> anyhow::Result<()> {
    let (present, old) = (read_key(&directory.join(KEY))?, directory.join(OLD_KEY));
    // Of a change that was cut short both are the same.
    if old.exists() && !is_over(&old) && read_key(&old)? != present {
        bail!(
            "the key was changed less than seven days ago, and what the one before it signed counts still; after another \
             change it would not. Restart the hub if it was not since, and wait; or remove {} first, which signs out whom \
             that one signed in",
            old.display()
        );
    }
    if let Some(present) = present {
        write_key(directory, OLD_KEY, present.expose())?;
    }
    // Cut short before this, both are the same key, and nothing has changed.
    make_key(directory).map(|_| ())
}

/// `None` when there is no such file.
fn read_key(path: &Path) -> anyhow::Result<Option<Secret>> {
    let shown = path.display();
    match fs::metadata(path) {
        Ok(metadata) if metadata.permissions().mode() & 0o077 != 0 => {
            bail!("{shown} can be read by other users; set its mode to 0600, or remove it to sign everyone out");
        }
        Ok(_) => {
            let text = fs::read_to_string(path).with_context(|| format!("{shown} cannot be read"))?;
            if text.trim().len() < 32 {
                bail!("{shown} holds fewer than 32 bytes; remove it and a new key is made");
            }
            Ok(Some(Secret::new(text.trim())))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("{shown} cannot be read")),
    }
}

fn make_key(directory: &Path) -> anyhow::Result<Secret> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("no random bytes from the system: {error}"))?;
    let text: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
    write_key(directory, KEY, &text)?;
    Ok(Secret::new(text))
}

/// Written beside and renamed, so that a start that is cut short leaves no half key.
fn write_key(directory: &Path, name: &str, text: &str) -> anyhow::Result<()> {
    let (path, partial) = (directory.join(name), directory.join(format!("{name}.new")));
    let _ = fs::remove_file(&partial);
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&partial)?;
    // An administrator's command writes it as root, and the hub that is to read it is somebody else: whoever's directory it
    // is. Who may not give it away reads it himself.
    let (owner, own) = (fs::metadata(directory)?, file.metadata()?);
    if owner.uid() != own.uid() {
        let _ = unix::fchown(&file, Some(owner.uid()), Some(owner.gid()));
    }
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&partial, &path).with_context(|| format!("{} cannot be written", path.display()))?;
    fs::File::open(directory)?.sync_all().with_context(|| format!("{} cannot be written", directory.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_directory_and_its_key_belong_to_one_user() {
        let parent = tempfile::tempdir().unwrap();
        let directory = prepare(&parent.path().join("a/b")).unwrap();
        let first = signing_keys(&directory).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&directory), mode(&directory.join("jwt-secret-key"))), (0o700, 0o600));
        assert!(signing_keys(&directory).unwrap() == first, "a restart keeps the key");
    }

    #[test]
    fn a_key_that_root_makes_is_of_whose_directory_it_is() {
        let parent = tempfile::tempdir().unwrap();
        if unix::chown(parent.path(), Some(65_534), Some(65_534)).is_err() {
            return; // only root may
        }
        signing_keys(parent.path()).unwrap();
        rotate_keys(parent.path()).unwrap();
        for name in KEYS {
            let key = fs::metadata(parent.path().join(name)).unwrap();
            assert_eq!((key.uid(), key.permissions().mode() & 0o777), (65_534, 0o600), "{name}");
        }
    }

    #[test]
    fn t278_a_key_others_can_read_is_refused() {
        let parent = tempfile::tempdir().unwrap();
        signing_keys(parent.path()).unwrap();
        let path = parent.path().join("jwt-secret-key");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(signing_keys(parent.path()).unwrap_err().to_string().contains("0600"));
    }

    #[test]
    fn t134_a_new_key_takes_the_place_of_the_old_which_counts_for_a_week() {
        let parent = tempfile::tempdir().unwrap();
        let directory = parent.path();
        let first = signing_keys(directory).unwrap();
        assert_eq!(first.accepted, None);
        rotate_keys(directory).unwrap();
        let second = signing_keys(directory).unwrap();
        assert!(second.current != first.current && second.accepted == Some(first.current.clone()));
        // Twice by mistake: a hub that was not started in between signs with the first.
        assert!(rotate_keys(directory).unwrap_err().to_string().contains(OLD_KEY));
        assert_eq!(signing_keys(directory).unwrap(), second);
        let a_week_goes_by = || {
            let old = fs::File::options().write(true).open(directory.join(OLD_KEY)).unwrap();
            old.set_modified(std::time::SystemTime::now() - OLD_KEY_LIFE - Duration::from_secs(60)).unwrap();
        };
        a_week_goes_by();
        rotate_keys(directory).unwrap();
        let third = signing_keys(directory).unwrap();
        assert_eq!(third.accepted, Some(second.current), "one before it, not all");
        a_week_goes_by();
        assert_eq!(signing_keys(directory).unwrap(), SigningKeys { current: third.current, accepted: None });
        assert!(!directory.join(OLD_KEY).exists());
    }
}
