//! Channels and maintenance windows of a plan.

use super::{Applied, Done, Work};
use crate::model::manifest::{Kind, Spec, Write};
use crate::model::{ChannelDraft, ChannelId, Maintenance, MaintenanceId, MaintenancePlan};
use crate::store::channels::{
    cancel_waiting, insert_channel, remove_channel, settings_text, turn_channel, update_channel,
};
use crate::store::jobs::on;
use crate::store::maintenance::{
    MAINTENANCE, MaintenanceRow, insert_maintenance, remove_maintenance, take, update_maintenance,
};
use crate::store::{PAST_KEPT_MS, StoreError};

impl Work<'_> {
    pub(super) async fn remove_channel(&mut self, id: ChannelId) -> Result<(), StoreError> {
        let (account, now) = (self.account, self.now);
        on!(&mut *self.tx, c => {
            if remove_channel!(c, account, id) == 1 {
                cancel_waiting!(c, id, now, "The channel was deleted.");
            }
        });
        Ok(())
    }

    pub(super) async fn channel(&mut self, write: &Write) -> Done<()> {
        let (account, now) = (self.account, self.now);
        let (id, was_on, spec) = match write {
            Write::Add { id, spec: Spec::Channel(spec), .. } => {
                let (id, draft) = (ChannelId(*id), alone(&spec.draft));
                let settings = settings_text(&draft.settings)?;
                if on!(&mut *self.tx, c => insert_channel!(c, account, id, draft, &settings, now)) != 1 {
                    return Ok(Err(Applied::TooMany(Kind::Channel)));
                }
                (id, true, spec)
            }
            Write::Change { id, revision, before: Spec::Channel(before), spec: Spec::Channel(spec), .. } => {
                let id = ChannelId(*id);
                if before.draft != spec.draft {
                    let draft = alone(&spec.draft);
                    let settings = settings_text(&draft.settings)?;
                    let changed = on!(&mut *self.tx, c =>
                        update_channel!(&mut *c, account, id, revision, draft, &settings));
                    if changed != 1 {
                        return Ok(Err(Applied::Meanwhile));
                    }
                }
                (id, before.is_on, spec)
            }
            Write::Add { .. } | Write::Change { .. } | Write::Remove { .. } | Write::TakeOver { .. } => {
                return Ok(Ok(()));
            }
        };
        let is_on = spec.is_on;
        if is_on != was_on {
            on!(&mut *self.tx, c => {
                if turn_channel!(c, account, id, is_on) == 1 && !is_on {
                    cancel_waiting!(c, id, now, "The channel was switched off.");
                }
            });
        }
        Ok(Ok(()))
    }

    /// Who is told when a channel gives up, once all channels are there.
    pub(super) async fn seconds(&mut self, writes: &[Write]) -> Result<(), StoreError> {
        let account = self.account;
        for write in writes {
            let (Write::Add { id, spec: Spec::Channel(spec), .. }
            | Write::Change { id, spec: Spec::Channel(spec), .. }) = write
            else {
                continue;
            };
            let second = spec.draft.second_channel_id.map(|second| second.0);
            on!(&mut *self.tx, c => sqlx::query(
                "update channel set second_channel_id = (select s.channel_id from channel s where s.account_id = $1 \
                 and s.channel_id = $3 and s.channel_id <> $2) where account_id = $1 and channel_id = $2")
                .bind(account.0).bind(id).bind(second).execute(c).await.map(|_| ())?);
        }
        Ok(())
    }

    pub(super) async fn remove_window(&mut self, id: MaintenanceId) -> Result<(), StoreError> {
        let (account, now) = (self.account, self.now);
        on!(&mut *self.tx, c => {
            if let Some(row) = take!(c, account, id) {
                remove_maintenance!(c, account, id, row, now);
            }
        });
        Ok(())
    }

    pub(super) async fn window(&mut self, write: &Write) -> Done<()> {
        let (account, now) = (self.account, self.now);
        match write {
            Write::Add { id, spec: Spec::Maintenance(plan), .. } => {
                let (id, plan): (MaintenanceId, &MaintenancePlan) = (MaintenanceId(*id), plan);
                if on!(&mut *self.tx, c => insert_maintenance!(c, account, id, plan, now)) != 1 {
                    return Ok(Err(Applied::TooMany(Kind::Maintenance)));
                }
            }
            Write::Change { id, revision, spec: Spec::Maintenance(plan), .. } => {
                let (id, plan): (MaintenanceId, &MaintenancePlan) = (MaintenanceId(*id), plan);
                on!(&mut *self.tx, c => {
                    let row = take!(c, account, id).filter(|row| row.revision == *revision);
                    let Some(row) = row else { return Ok(Err(Applied::Meanwhile)) };
                    update_maintenance!(c, account, id, row, plan, now);
                });
            }
            Write::Add { .. } | Write::Change { .. } | Write::Remove { .. } | Write::TakeOver { .. } => {}
        }
        Ok(Ok(()))
    }
}

/// Without the channel that is told when it gives up, which may not be there yet.
fn alone(draft: &ChannelDraft) -> ChannelDraft {
    ChannelDraft { second_channel_id: None, ..draft.clone() }
}
