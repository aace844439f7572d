//! Memory policies of tmpfs, on a machine with one memory node (`mpol_parse_str()`, `mpol_to_str()`).

/// A memory policy, as mountinfo shows it; `None` inside for the default one, the outer one if it is refused.
#[allow(clippy::option_option, reason = "a policy that is none is not the same as a text that is none")]
pub(super) fn parse(text: &[u8]) -> Option<Option<String>> {
    let text = std::str::from_utf8(text).ok()?;
    let equals = text.find('=');
    let colon = text.find(':');
    let end = equals.unwrap_or(text.len()).min(colon.unwrap_or(text.len()));
    let mode = &text[..end];
    // Flags that come behind the list of nodes belong to the list.
    let flags = equals.filter(|equals| colon.is_none_or(|colon| *equals < colon));
    let flags = flags.map(|equals| &text[equals + 1..colon.unwrap_or(text.len())]);
    let nodes = colon.map(|colon| &text[colon + 1..]);
    let has_node = match nodes {
        Some(list) => parse_nodes(list)?,
        None => false,
    };
    let has_node = match (mode, nodes) {
        ("default", None) => return Some(None),
        ("local", None) => return flags.is_none().then(|| Some("local".into())),
        ("prefer", None) => return flags.is_none().then(|| Some("local".into())),
        ("prefer", Some(list)) => has_node && list.bytes().all(|byte| byte.is_ascii_digit()),
        ("interleave" | "weighted interleave", None) => true,
        ("interleave" | "weighted interleave" | "bind" | "prefer (many)", Some(_)) => has_node,
        _ => false,
    };
    let flags = match flags {
        None => String::new(),
        Some(flags @ ("static" | "relative")) => format!("={flags}"),
        Some(_) => return None,
    };
    has_node.then(|| Some(format!("{mode}{flags}:0")))
}

/// Whether a list of nodes names the one that there is; `None` if it names another one, or is no list
/// (`nodelist_parse()`).
fn parse_nodes(list: &str) -> Option<bool> {
    let is_zero = |number: &str| !number.is_empty() && number.bytes().all(|byte| byte == b'0');
    let mut has_node = false;
    for item in list.split([',', ' ', '\n', '\t']).filter(|item| !item.is_empty()) {
        let (low, high) = item.split_once('-').unwrap_or((item, item));
        if !is_zero(low) || !is_zero(high) {
            return None;
        }
        has_node = true;
    }
    Some(has_node)
}

#[cfg(test)]
#[allow(clippy::option_option, reason = "as above")]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("default", Some(None))]
    #[case("prefer:0", Some(Some("prefer:0")))]
    #[case("prefer", Some(Some("local")))]
    #[case("local", Some(Some("local")))]
    #[case("interleave", Some(Some("interleave:0")))]
    #[case("bind:0,0", Some(Some("bind:0")))]
    #[case("bind=static:0", Some(Some("bind=static:0")))]
    #[case("weighted interleave:0", Some(Some("weighted interleave:0")))]
    #[case("bind:1", None)]
    #[case("bind:0-1", None)]
    #[case("bind", None)]
    #[case("foo", None)]
    fn policies(#[case] text: &str, #[case] expected: Option<Option<&str>>) {
        assert_eq!(parse(text.as_bytes()), expected.map(|policy| policy.map(str::to_owned)));
    }
}
