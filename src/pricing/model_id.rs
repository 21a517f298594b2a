//! The plain form of a model id, whichever provider, region or router wrote it. It never guesses: what is left after
//! the known decorations are off is looked up exactly or not at all.
//!
//! The forms come from Anthropic's model list, Amazon Bedrock, Google Vertex AI, Databricks and openrouter.ai.

/// A model id without decorations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelId {
    /// For example `claude-opus-4-6`.
    pub plain: String,
    /// The id ended in `-fast`: a router's way of saying that the request ran at fast speed.
    pub fast: bool,
}

/// Takes the decorations off a model id, outermost first.
///
/// Ids of other makers lose only what a gateway adds in front of them: in `kimi-k2-thinking` the suffix is part of the
/// name. A number of one or two digits at the end is a version and stays; one of eight digits is a date and goes.
pub fn normalise(id: &str) -> ModelId {
    let id = id.trim().to_lowercase();
    if id.starts_with("arn:") && id.contains(":application-inference-profile/") {
        // The word behind the slash is the account's own and says nothing about the model. An override can name it.
        return ModelId { plain: id, fast: false };
    }
    let id = without_bracket(&id);
    // The resource of a Bedrock ARN, and the model behind the names of routers and providers.
    let id = id.rsplit_once('/').map_or(id, |(_, last)| last);
    let id = without_vendor(id);
    if !id.starts_with("claude-") {
        return ModelId { plain: dashes_for_dots(id), fast: false };
    }
    let id = dashes_for_dots(without_revision(id)).replace('@', "-");
    let (id, fast) = without_variants(&id);
    ModelId { plain: family_first(id), fast }
}

/// `claude-opus-4-6[1m]`: how Claude Code's settings ask for the long context.
fn without_bracket(id: &str) -> &str {
    match id.split_once('[') {
        Some((head, tail)) if tail.ends_with(']') => head,
        _ => id,
    }
}

/// `anthropic.` with or without a Bedrock region (`us.`, `us-gov.`, `global.`), and the two prefixes of Databricks.
fn without_vendor(id: &str) -> &str {
    if let Some((region, model)) = id.split_once("anthropic.")
        && (region.is_empty() || region.strip_suffix('.').is_some_and(is_word))
    {
        return model;
    }
    id.strip_prefix("databricks-").or_else(|| id.strip_prefix("system.ai.")).unwrap_or(id)
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')
}

/// `-v1` and `-v1:0`: Bedrock's revision of its own entry. `claude-3-5-sonnet-v2@20241022`: Vertex AI has it inside.
fn without_revision(id: &str) -> &str {
    let (name, date) = id.split_once('@').unwrap_or((id, ""));
    let Some((head, revision)) = name.rsplit_once("-v") else { return id };
    let mut numbers = revision.split(':');
    let is_revision = numbers.next().is_some_and(is_number) && numbers.next().is_none_or(is_number);
    // The date that follows a revision would be taken off next in any case.
    if is_revision && numbers.next().is_none() && (date.is_empty() || is_date(date)) { head } else { id }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_date(text: &str) -> bool {
    text.len() == 8 && is_number(text)
}

/// `claude-opus-4.6` is `claude-opus-4-6`; a dot next to a letter is not a version's.
fn dashes_for_dots(id: &str) -> String {
    let is_digit = |at: Option<u8>| at.is_some_and(|byte| byte.is_ascii_digit());
    let bytes = id.as_bytes();
    id.char_indices()
        .map(|(at, letter)| {
            let between_digits = at > 0 && is_digit(bytes.get(at - 1).copied()) && is_digit(bytes.get(at + 1).copied());
            if letter == '.' && between_digits { '-' } else { letter }
        })
        .collect()
}

/// Takes off what says how a request ran rather than which model it used, and the date; and says whether it ran fast.
fn without_variants(id: &str) -> (&str, bool) {
    let mut id = id.split_once(":thinking").map_or(id, |(head, _)| head);
    let (mut fast, mut dated) = (false, false);
    loop {
        let Some((head, last)) = id.rsplit_once('-') else { return (id, fast) };
        match last {
            "thinking" | "latest" | "default" => {}
            "fast" => fast = true,
            date if !dated && is_date(date) => dated = true,
            _ => return (id, fast),
        }
        id = head;
    }
}

/// `claude-4-6-opus` is `claude-opus-4-6`, as openrouter.ai turns it round. Up to version 3 that order is the real one.
fn family_first(id: &str) -> String {
    let parts: Vec<&str> = id.split('-').collect();
    let is_version = |part: &str| part.len() <= 2 && is_number(part);
    let is_turned = |major: &str| is_version(major) && major.parse::<u8>().is_ok_and(|number| number > 3);
    let is_family = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase());
    match parts.as_slice() {
        ["claude", major, family] if is_turned(major) && is_family(family) => format!("claude-{family}-{major}"),
        ["claude", major, minor, family] if is_turned(major) && is_version(minor) && is_family(family) => {
            format!("claude-{family}-{major}-{minor}")
        }
        _ => id.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(id: &str, plain: &str) {
        assert_eq!(normalise(id), ModelId { plain: plain.to_owned(), fast: false }, "{id}");
    }

    fn check_fast(id: &str, plain: &str) {
        assert_eq!(normalise(id), ModelId { plain: plain.to_owned(), fast: true }, "{id}");
    }

    #[test]
    fn anthropics_own_forms() {
        check("claude-opus-4-5", "claude-opus-4-5");
        check("  Claude-Opus-4-5\n", "claude-opus-4-5");
        check("claude-opus-4-5-20251101", "claude-opus-4-5");
        check("claude-opus-4-5-latest", "claude-opus-4-5");
        check("claude-3-5-sonnet-20241022", "claude-3-5-sonnet");
        check("claude-3-7-sonnet-latest", "claude-3-7-sonnet");
        check("claude-opus-4-0", "claude-opus-4-0");
        check("claude-4-opus-20250514", "claude-opus-4");
        check("claude-opus-4-6[1m]", "claude-opus-4-6");
        check("claude-haiku-5-5", "claude-haiku-5-5");
    }

    #[test]
    fn routers() {
        check("claude-opus-4.6", "claude-opus-4-6");
        check("claude-4.6-opus-20260205", "claude-opus-4-6");
        check("claude-4-6-opus", "claude-opus-4-6");
        check("anthropic/claude-opus-4.6", "claude-opus-4-6");
        check("openrouter/anthropic/claude-opus-4.6:thinking", "claude-opus-4-6");
        check("claude-sonnet-4-5:thinking-16k", "claude-sonnet-4-5");
        check("claude-sonnet-4-5-thinking", "claude-sonnet-4-5");
        check("claude-sonnet-4-5-20250929-thinking", "claude-sonnet-4-5");
        check_fast("claude-opus-4-6-fast", "claude-opus-4-6");
        check_fast("anthropic/claude-4.6-opus-20260205-fast", "claude-opus-4-6");
        check("claude-3.5-sonnet", "claude-3-5-sonnet");
        check("claude-3-opus", "claude-3-opus");
    }

    #[test]
    fn bedrock() {
        check("anthropic.claude-sonnet-4-5-20250929-v1:0", "claude-sonnet-4-5");
        check("anthropic.claude-haiku-5-5", "claude-haiku-5-5");
        check("anthropic.claude-haiku-5-5-v1", "claude-haiku-5-5");
        for region in ["us", "eu", "apac", "au", "jp", "us-gov", "global"] {
            check(&format!("{region}.anthropic.claude-opus-4-6-v1:0"), "claude-opus-4-6");
        }
        check("bedrock/us.anthropic.claude-opus-5", "claude-opus-5");
        check(
            "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-sonnet-4-5-20250929-v1:0",
            "claude-sonnet-4-5",
        );
        check("arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-3-haiku-20240307-v1:0", "claude-3-haiku");
        check("us.anthropic.claude-opus-4-6-v1[1m]", "claude-opus-4-6");
    }

    #[test]
    fn other_clouds() {
        check("claude-sonnet-4-5@20250929", "claude-sonnet-4-5");
        check("claude-opus-4-6@default", "claude-opus-4-6");
        check("vertex_ai/claude-sonnet-4-5@20250929", "claude-sonnet-4-5");
        check("claude-3-5-sonnet-v2@20241022", "claude-3-5-sonnet");
        check("databricks-claude-sonnet-4-5", "claude-sonnet-4-5");
        check("system.ai.claude-opus-4-6", "claude-opus-4-6");
    }

    #[test]
    fn a_version_is_never_a_qualifier() {
        check("claude-fable-5-2", "claude-fable-5-2");
        check("claude-fable-5-20", "claude-fable-5-20");
        check("claude-opus-5-6", "claude-opus-5-6");
        check("claude-opus-5x", "claude-opus-5x");
        check("claude-opus-5-202609", "claude-opus-5-202609");
    }

    #[test]
    fn other_makers_keep_their_suffixes() {
        check("z-ai/GLM-4.6", "glm-4-6");
        check("moonshotai/kimi-k2-thinking", "kimi-k2-thinking");
        check("grok-code-fast", "grok-code-fast");
        check("", "");
        check("<synthetic>", "<synthetic>");
        check("claude-", "claude-");
        check("模型.5", "模型.5");
    }

    #[test]
    fn an_opaque_profile_is_not_taken_for_a_model() {
        let arn = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/claude-opus-5";
        check(arn, arn);
    }
}
