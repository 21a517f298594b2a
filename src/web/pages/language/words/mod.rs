//! The catalog: one file a page, one line a text, English and Chinese side by side.

mod about;
mod blocks;
mod common;
mod cost;
mod export;
mod live;
mod models;
mod module;
mod overview;
mod projects;
mod sessions;
mod sinks;
mod states;
mod trend;

use super::Text;

use about::About;
use blocks::Blocks;
use common::Common;
use cost::Cost;
use export::Export;
use live::Live;
use models::Models;
use module::Module;
use overview::Overview;
use projects::Projects;
use sessions::Sessions;
use sinks::Sinks;
use states::States;
use trend::Trend;

/// Texts by key, in both languages: `key: "English", "Chinese";`.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($key:ident: $english:literal, $chinese:literal;)* }) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name {
            $(pub $key: $crate::web::pages::language::Text,)*
        }

        impl $name {
            pub(super) const ENGLISH: Self = Self { $($key: super::text($english),)* };
            pub(super) const CHINESE: Self = Self { $($key: super::text($chinese),)* };
            #[cfg(test)]
            pub(super) const PAIRS: &[(&str, &str, &str)] = &[$((stringify!($key), $english, $chinese),)*];
        }
    };
}
use words;

const fn text(text: &'static str) -> Text {
    Text(text)
}

/// The groups of the catalog.
macro_rules! catalog {
    ($($group:ident: $kind:ident,)*) => {
        /// All texts of a language.
        #[derive(Debug)]
        pub struct Words {
            $(pub $group: $kind,)*
        }

        impl Words {
            pub(super) const ENGLISH: Self = Self { $($group: $kind::ENGLISH,)* };
            pub(super) const CHINESE: Self = Self { $($group: $kind::CHINESE,)* };
            /// Every text: its group, its key, and both languages.
            #[cfg(test)]
            pub(super) const PAIRS: &[(&str, &[(&str, &str, &str)])] = &[$((stringify!($group), $kind::PAIRS),)*];
        }
    };
}

catalog! {
    about: About,
    common: Common,
    states: States,
    overview: Overview,
    live: Live,
    models: Models,
    projects: Projects,
    cost: Cost,
    export: Export,
    trend: Trend,
    sessions: Sessions,
    sinks: Sinks,
    blocks: Blocks,
    module: Module,
}
