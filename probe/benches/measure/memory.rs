//! stub
use crate::{Failed, Options};
pub(crate) fn run(_: &Options) -> Result<(), Failed> {
    Ok(())
}
