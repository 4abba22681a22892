//! What is computed between reading ticks and writing blocks, and why it may come to nothing.

use uuid::Uuid;

use super::{BlockName, row};
use crate::model::sealed::{self, Block, Damage, Group, Place};
use crate::model::{RegionId, WebsiteId};
use crate::store::StoreError;

/// Why a day is left as it is.
#[derive(Debug)]
pub(super) enum Left {
    Away(StoreError),
    Busy,
    Damaged(Vec<(BlockName, Damage)>),
    NotUnderstood(String),
    /// A newer hub has begun to store more of a tick than this one knows.
    Newer,
}

/// What is about the ticks of one day costs that day alone: whoever stopped for it would never pack, nor forget, what follows.
impl From<StoreError> for Left {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Corrupt(what) => Self::NotUnderstood(what),
            error if error.is_lock_timeout() || error.is_collision() => Self::Busy,
            error if error.is_fault_of_the_data() => Self::NotUnderstood(error.to_string()),
            error => Self::Away(error),
        }
    }
}

impl From<sqlx::Error> for Left {
    fn from(error: sqlx::Error) -> Self {
        StoreError::from(error).into()
    }
}

/// What becomes blocks of one region.
pub(super) struct Work {
    pub(super) region: RegionId,
    pub(super) group: Group,
    /// The block that the group joins: its two pieces.
    pub(super) replaced: Option<(Vec<u8>, Vec<u8>)>,
}

impl Work {
    pub(super) fn done(self, website: Uuid) -> Result<(RegionId, Vec<Block>), Left> {
        let Self { region, group, replaced } = self;
        let place = Place { website_id: WebsiteId(website), region_id: &region };
        let mut packed = Vec::new();
        if let (Some(from_at), Some((keys, columns))) = (group.replaces, replaced) {
            packed = sealed::open(place, from_at, &keys, &columns, |_| true).map_err(|damage| {
                Left::Damaged(vec![(BlockName { website, from_at, region: region.clone() }, damage)])
            })?;
        }
        let parts = sealed::join(packed, group.ticks);
        let blocks = parts.iter().map(|part| {
            let block = sealed::seal(place, part).map_err(|error| Left::NotUnderstood(error.to_string()))?;
            // What was deleted is in there: nothing else has it.
            let again = sealed::open(place, block.from_at, &block.keys, &block.columns, |_| true);
            if again.as_ref() == Ok(part) {
                Ok(block)
            } else {
                Err(Left::NotUnderstood("a block does not come back as it was".to_owned()))
            }
        });
        let blocks = blocks.collect::<Result<Vec<_>, _>>()?;
        // As rows, they are what people see.
        debug_assert!(parts.iter().flatten().all(|tick| row::unpacked(website, &region, tick).is_ok()));
        Ok((region, blocks))
    }
}
