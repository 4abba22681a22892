//! `key rotate`: another key for sessions and links, without signing anybody out.

use anyhow::bail;

use super::record_beside;
use crate::config::Config;
use crate::state_directory;

/// Makes a new signing key in the state directory and keeps the one before for what it signed.
///
/// # Errors
/// The key is in the settings; it was changed less than seven days ago; or it cannot be read or written.
pub async fn rotate(config: &Config) -> anyhow::Result<()> {
    if config.jwt_secret_key.is_some() {
        bail!(
            "the key of this hub is in its settings. Make another (openssl rand -base64 48) and give it to every hub as \
             JWT_SECRET_KEY_ACCEPTED, restarting one after the other; then let the two change places, again on every hub; \
             after seven days leave JWT_SECRET_KEY_ACCEPTED out"
        );
    }
    if !config.is_embedded() {
        bail!("JWT_SECRET_KEY is not set; a hub with DATABASE_URL does not start without it");
    }
    let directory = state_directory::prepare(&config.state_directory)?;
    state_directory::rotate_keys(&directory)?;
    println!(
        "A new key is in {}. Restart the hub: it signs with the new one then. Who is signed in stays so, links in messages go \
         on working. The old key counts until the first start after seven days.",
        directory.display()
    );
    // Before its first start a hub has nothing to write to.
    if directory.join("betteruptime.sqlite").exists() {
        record_beside(config, "key rotate", "changed", "signing key", "").await;
    }
    Ok(())
}
