//! Status pages of a plan.

use uuid::Uuid;

use super::{Applied, Done, Work};
use crate::model::manifest::{Kind, Spec, Write};
use crate::model::status_page::{StatusPageId, StatusPagePlan};
use crate::store::jobs::on;
use crate::store::status_pages::{has_channel, insert_page, put_components, remove_page, update_page};

impl Work<'_> {
    /// Once what they show and what sends their mail is there; what goes before what comes, since there may be only so many.
    pub(super) async fn pages(&mut self, writes: &[Write]) -> Done<()> {
        let (account, now) = (self.account, self.now);
        for write in writes {
            if let Write::Remove { id, kind: Kind::StatusPage } = write {
                let id = StatusPageId(*id);
                on!(&mut *self.tx, c => remove_page!(c, account, id));
            }
        }
        // Two that change their addresses would meet in between.
        for write in writes {
            if let Write::Change { id, revision, spec: Spec::StatusPage(_), .. } = write {
                let freed = on!(&mut *self.tx, c => sqlx::query(
                    "update status_page set slug = $4, domain = null where account_id = $1 and status_page_id = $2 \
                     and revision = $3")
                    .bind(account.0).bind(id).bind(revision).bind(id.to_string()).execute(&mut *c).await?.rows_affected());
                if freed != 1 {
                    return Ok(Err(Applied::Meanwhile));
                }
            }
        }
        for write in writes {
            let (id, revision, plan): (StatusPageId, Option<&i64>, &StatusPagePlan) = match write {
                Write::Change { id, revision, spec: Spec::StatusPage(plan), .. } => {
                    (StatusPageId(*id), Some(revision), plan)
                }
                Write::Add { id, spec: Spec::StatusPage(plan), .. } => (StatusPageId(*id), None, plan),
                Write::Add { .. } | Write::Change { .. } | Write::Remove { .. } | Write::TakeOver { .. } => continue,
            };
            let is_whole = on!(&mut *self.tx, c => {
                let done = match revision {
                    Some(revision) => update_page!(c, account, id, revision, plan),
                    None => insert_page!(c, account, id, plan, now),
                };
                if done != 1 {
                    return Ok(Err(if revision.is_some() { Applied::Meanwhile } else { Applied::TooMany(Kind::StatusPage) }));
                }
                has_channel!(c, account, plan) && put_components!(c, account, id, plan)
            });
            if !is_whole {
                return Ok(Err(Applied::Meanwhile));
            }
        }
        Ok(Ok(()))
    }
}
