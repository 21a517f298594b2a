//! Which build this is.

/// The version of the crate.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The commit that was built, where the build was told (`BUILD_REVISION`); a source archive does not know.
pub const REVISION: &str = match option_env!("BUILD_REVISION") {
    Some(revision) => revision,
    None => UNKNOWN,
};

const UNKNOWN: &str = "unknown";

/// Operating system and architecture, such as `linux-x86_64`.
pub fn target() -> String {
    format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH)
}

/// The commit, where it is known, and the target.
pub fn build() -> String {
    match REVISION {
        UNKNOWN => target(),
        revision => format!("{revision} · {}", target()),
    }
}
