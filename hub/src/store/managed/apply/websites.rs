//! Websites and jobs of a plan.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::{Applied, Done, Work};
use crate::model::manifest::{About, Kind, Spec, Write};
use crate::model::verdict::{EDITED, FIRST_LOOK_WITHIN_MS, PAUSED, RESUMED};
use crate::model::{Change, ClosedAs, Ties, WebsiteId, mute};
use crate::new_id;
use crate::store::StoreError;
use crate::store::jobs::{self, insert_job, on};
use crate::store::keeping::save_keeping;
use crate::store::row::options_text;
use crate::store::ties::{refusal, tags_text};
use crate::store::websites::{forget, insert_website, pause_website, remove_website, update_website};

impl Work<'_> {
    pub(super) async fn website(&mut self, write: &Write) -> Done<()> {
        let (account, now) = (self.account, self.now);
        match write {
            Write::Remove { id, kind: Kind::Website | Kind::Job } => {
                let id = WebsiteId(*id);
                if on!(&mut *self.tx, c => remove_website!(c, account, id)) == 1 {
                    self.gone.push(Change::gone(id, account, "", ClosedAs::Deleted, now));
                    self.touched.push(id);
                }
            }
            Write::Add { id, spec: Spec::Website(spec), .. } => {
                let (id, settings) = (WebsiteId(*id), &spec.settings);
                let (request, expect) = options_text(&settings.options)?;
                on!(&mut *self.tx, c => insert_website!(c, account, id, settings, &request, &expect, now));
                self.about(id, &About::default(), &spec.about, false).await?;
                self.touched.push(id);
            }
            Write::Add { id, spec: Spec::Job(spec), .. } => {
                let (plan, ping_id) = (&spec.plan, new_id::random());
                on!(&mut *self.tx, c => insert_job!(c, account, id, ping_id, plan, now));
                self.about(WebsiteId(*id), &About::default(), &spec.about, false).await?;
            }
            Write::Change { id, revision, before: Spec::Website(before), spec: Spec::Website(spec), .. } => {
                let (id, settings) = (WebsiteId(*id), &spec.settings);
                let is_edit = before.settings != *settings;
                if is_edit {
                    let (request, expect) = options_text(&settings.options)?;
                    let changed = on!(&mut *self.tx, c =>
                        update_website!(c, account, id, revision, settings, &request, &expect));
                    if changed != 1 {
                        return Ok(Err(Applied::Meanwhile));
                    }
                    let until = (!before.about.paused).then_some(now + FIRST_LOOK_WITHIN_MS);
                    on!(&mut *self.tx, c => { forget!(c, id, now, EDITED, until); });
                }
                self.about(id, &before.about, &spec.about, is_edit).await?;
                self.touched.push(id);
            }
            Write::Change { id, revision, before: Spec::Job(before), spec: Spec::Job(spec), .. } => {
                let id = WebsiteId(*id);
                if before.plan != spec.plan {
                    if jobs::edit_plan(self.tx, account, id, *revision, &spec.plan, now).await? != 1 {
                        return Ok(Err(Applied::Meanwhile));
                    }
                    jobs::await_plan(self.tx, id, &spec.plan, now).await?;
                }
                self.about(id, &before.about, &spec.about, false).await?;
            }
            Write::Add { .. } | Write::Change { .. } | Write::Remove { .. } | Write::TakeOver { .. } => {}
        }
        Ok(Ok(()))
    }

    /// History and pause; ties come when all websites are there. `is_edit`: what is checked has changed as well.
    async fn about(&mut self, id: WebsiteId, before: &About, about: &About, is_edit: bool) -> Result<(), StoreError> {
        let (account, now) = (self.account, self.now);
        if before.keeping != about.keeping {
            on!(&mut *self.tx, c => save_keeping!(&mut *c, account, id, about.keeping));
        }
        let paused = about.paused;
        let is_turned = before.paused != paused && on!(&mut *self.tx, c => pause_website!(c, account, id, paused)) == 1;
        if is_turned {
            let reason = if paused { PAUSED } else { RESUMED };
            let until = (!paused).then_some(now + FIRST_LOOK_WITHIN_MS);
            on!(&mut *self.tx, c => { forget!(c, id, now, reason, until); });
            jobs::paused(self.tx, id, now).await?;
        }
        let closed_as = match (is_turned, is_edit) {
            (true, _) => ClosedAs::Paused,
            (false, true) => ClosedAs::Changed,
            (false, false) => return Ok(()),
        };
        self.gone.push(Change::gone(id, account, "", closed_as, now));
        Ok(())
    }

    /// Tags, and what depends on what, once all websites are there.
    pub(super) async fn ties(&mut self, writes: &[Write]) -> Done<()> {
        let account = self.account;
        let mut changed: Vec<(WebsiteId, &Ties)> = Vec::new();
        for write in writes {
            let (id, before, about) = match write {
                Write::Add { id, spec, .. } => (id, None, spec.about()),
                Write::Change { id, before, spec, .. } => (id, before.about(), spec.about()),
                Write::Remove { .. } | Write::TakeOver { .. } => continue,
            };
            let Some(about) = about else { continue };
            if before.map_or(about.ties != Ties::default(), |before| before.ties != about.ties) {
                changed.push((WebsiteId(*id), &about.ties));
            }
        }
        if changed.is_empty() {
            return Ok(Ok(()));
        }
        for (id, ties) in &changed {
            let saved = on!(&mut *self.tx, c => sqlx::query(
                "update website set tags = $3, parent_id = (select p.website_id from website p where p.account_id = $1 \
                 and p.website_id = $4) where account_id = $1 and website_id = $2")
                .bind(account.0).bind(id.0).bind(tags_text(&ties.tags)).bind(ties.parent_id.map(|id| id.0)).execute(c)
                .await?.rows_affected());
            if saved != 1 {
                return Ok(Err(Applied::Meanwhile));
            }
        }
        // All at once: two that change places look like a circle in between, and each would go through all of them.
        let edges: Vec<(Uuid, Option<Uuid>)> = on!(&mut *self.tx, c => sqlx::query_as(
            "select website_id, parent_id from website where account_id = $1")
            .bind(account.0).fetch_all(c).await?);
        let parents: BTreeMap<WebsiteId, WebsiteId> =
            edges.iter().filter_map(|(id, parent)| Some((WebsiteId(*id), WebsiteId((*parent)?)))).collect();
        let is_saved = |id: &WebsiteId, ties: &Ties| parents.get(id).copied() == ties.parent_id;
        let is_fine = |id: &WebsiteId| mute::above(*id, |id| parents.get(&id).copied()).is_some();
        if changed.iter().all(|(id, ties)| is_saved(id, ties)) && parents.keys().all(is_fine) {
            return Ok(Ok(()));
        }
        for (id, ties) in changed {
            if let Some(error) = ties.parent_id.and_then(|parent| refusal(id, parent, edges.clone())) {
                return Ok(Err(Applied::Refused(id.0, error)));
            }
        }
        Ok(Ok(()))
    }
}
