//! Transcripts that Claude Code is about to delete. It deletes what nobody has written to for so many days when it starts;
//! that is its own setting, which this program only reads out of its configuration and never changes.

use crate::store::Aging;
use crate::web::pages::data;
use crate::web::pages::situation::Notice;
use crate::web::pages::visit::Visit;

/// How many days ahead are looked at.
const SOON: u32 = 3;

/// None: nothing is about to be deleted, or it is not known.
pub(super) async fn notice(visit: &Visit) -> Option<Notice> {
    let mut all = Aging::default();
    for (source, status) in visit.state.hub.statuses().iter() {
        if status.words().roots.iter().any(|root| root.files > 0) {
            // The page is still good for all else.
            let aging = data::aging(&visit.state, source, SOON).await.unwrap_or_default();
            all.files += aging.files;
            all.unread += aging.unread;
        }
    }
    let Aging { files, unread } = all;
    (files > 0 && !visit.state.settings.demo).then(|| {
        let (t, format) = (&visit.words().states, &visit.format);
        let days = visit.state.settings.cleanup_days;
        let mut text = t.aging_text.count(files, format).with("soon", SOON).with("days", days).to_string();
        if unread > 0 {
            text.push_str(visit.taste.language.between_sentences());
            text.push_str(&t.aging_unread.count(unread, format).to_string());
        }
        Notice { class: if unread > 0 { "warn" } else { "note" }, title: t.aging, text }
    })
}
