//! Lists that are longer than a page.

use super::visit::Visit;
use crate::web::query::{Kind, Parameter};

/// Which page of a list.
pub static NUMBER: Parameter =
    Parameter { name: "page", about: "", kind: Kind::Integer { min: 1, max: 100_000, default: Some(1) }, example: "1" };

/// Links to the pages of a list before and after.
pub struct Pages {
    /// Empty where there is one page only.
    pub text: String,
    pub previous: Option<String>,
    pub next: Option<String>,
}

impl Pages {
    pub fn of(visit: &Visit, number: u32, count: u64) -> Self {
        let url = |number: u32| visit.view.with_own("page", &number.to_string()).url();
        let (page, pages) = (visit.format.grouped(number.into()), visit.format.grouped(count));
        let text = visit.words().common.page_of.with("page", page).with("pages", pages);
        Self {
            text: if count > 1 { text.into() } else { String::new() },
            previous: (number > 1).then(|| url(number - 1)),
            next: (u64::from(number) < count).then(|| url(number + 1)),
        }
    }
}
