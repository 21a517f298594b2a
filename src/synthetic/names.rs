//! Projects, branches and the folders that transcripts lie in.

use super::Noise;
use super::rng::Rng;

/// What a developer's home looks like. None of these directories should exist where tests run.
const PLAUSIBLE: [&str; 8] = [
    "/home/dana/code/storefront",
    "/home/dana/code/checkout-api",
    "/home/dana/code/search-index",
    "/home/dana/code/mobile-app",
    "/home/dana/code/billing",
    "/home/dana/code/infra",
    "/home/dana/code/design-system",
    "/home/dana/notes",
];

/// Names that break naive quoting, escaping and path handling. The first two share a folder name.
const HOSTILE: [&str; 10] = [
    "/home/dana/code/data-lake",
    "/home/dana/code/data/lake",
    r#"/home/dana/code/say "hi" {now}"#,
    "/home/dana/code/<script>alert('x')<",
    "/home/dana/code/数据平台",
    "/home/dana/code/rocket 🚀 lab",
    "/home/dana/code/two\nlines",
    "/home/dana/code/100% & more; $HOME",
    "/home/dana/code/dots.and_underscores",
    "/home/dana/code/a-name-that-goes-on-and-on-and-on-and-on-and-on-and-on-and-on-and-on-and-on-and-on-and-on-and-on-\
     and-on-and-on-and-on-and-on-and-on-and-on-and-on-and-on-and-on-and-on-until-the-folder-has-to-be-cut",
];

const BRANCHES: [&str; 6] = ["main", "main", "feat/search-filters", "fix/rounding", "chore/deps", "HEAD"];

const HOSTILE_BRANCHES: [&str; 3] = [r#"fix/"quoted""#, "feat/<b>bold</b>", "功能/支付"];

pub(super) const WORKTREES: [&str; 3] = ["quick-fix", "spike", "review-42"];

/// The working directory of a new session.
pub(super) fn project(rng: &mut Rng, noise: Noise) -> &'static str {
    if noise == Noise::Full && rng.one_in(2) { rng.pick(&HOSTILE) } else { rng.pick(&PLAUSIBLE) }
}

/// The branch of a new session; some directories are in no repository.
pub(super) fn branch(rng: &mut Rng, noise: Noise) -> Option<&'static str> {
    match rng.below(12) {
        0 => None,
        1 | 2 if noise == Noise::Full => Some(rng.pick(&HOSTILE_BRANCHES)),
        _ => Some(rng.pick(&BRANCHES)),
    }
}

/// The folder below `projects/` for sessions started in a directory: every UTF-16 unit that is not an ASCII letter or
/// digit becomes a hyphen, and what is longer than 200 is cut and gets a hash.
pub(super) fn folder(cwd: &str) -> String {
    let units = cwd.encode_utf16().map(|unit| u8::try_from(unit).map_or('-', char::from));
    let mut name: String = units.map(|unit| if unit.is_ascii_alphanumeric() { unit } else { '-' }).collect();
    if name.len() > 200 {
        name.truncate(200);
        name.push('-');
        let mut hash = cwd.bytes().fold(5381_u64, |hash, byte| hash.wrapping_mul(33) ^ u64::from(byte)) % 1_679_616;
        for _ in 0..4 {
            name.push(u32::try_from(hash % 36).ok().and_then(|digit| char::from_digit(digit, 36)).unwrap_or('0'));
            hash /= 36;
        }
    }
    name
}
