//! The way to a dead man's switch is that of all messages: judged addresses, no redirect, a bounded time.

use url::Url;

use super::Alerts;
use crate::secret::Secret;

impl Alerts {
    /// Asks for this address, which is a secret. Any answer of 2xx will do.
    ///
    /// # Errors
    /// What came instead, in a sentence without the address.
    pub async fn ping(&self, url: &Secret) -> Result<(), String> {
        let url = Url::parse(url.expose()).map_err(|_| "It is no address.".to_owned())?;
        match self.0.client.get(url).await {
            Ok(reply) if (200..300).contains(&reply.status) => Ok(()),
            Ok(reply) if (300..400).contains(&reply.status) => {
                Err(format!("It answered {}, a redirect, which is not followed.", reply.status))
            }
            Ok(reply) => Err(format!("It answered {}.", reply.status)),
            Err(trouble) => Err(trouble.to_string()),
        }
    }
}
