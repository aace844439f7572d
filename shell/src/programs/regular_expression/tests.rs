use rstest::rstest;

use super::*;

fn find(flavor: Flavor, pattern: &str, text: &str) -> Option<Vec<String>> {
    let expression = RegularExpression::new(pattern.as_bytes(), Syntax::new(flavor)).unwrap();
    let found = expression.find(text.as_bytes(), 0).unwrap()?;
    Some(
        (0..=expression.groups())
            .map(|group| found.group(group).map_or("-", |range| &text[range]).to_string())
            .collect(),
    )
}

#[rstest]
#[case(Flavor::Extended, "a|ab|abc", "xabcd", Some("abc"))]
#[case(Flavor::Extended, "(a|ab)(c|bcd)?", "abcd", Some("abcd a bcd"))]
#[case(Flavor::Extended, "a?(ab)?", "ab", Some("ab ab"))]
#[case(Flavor::Extended, "(a*)*", "aab", Some("aa aa"))]
#[case(Flavor::Extended, "x*", "aab", Some(""))]
#[case(Flavor::Extended, "a{2}", "aaa", Some("aa"))]
#[case(Flavor::Extended, "a{,2}b", "aaab", Some("aab"))]
#[case(Flavor::Extended, "a{", "a{", Some("a{"))]
#[case(Flavor::Extended, "a{x}", "a{x}", Some("a{x}"))]
#[case(Flavor::Extended, "(.)\\1", "abccd", Some("cc c"))]
#[case(Flavor::Extended, "^[^]a]$", "b", Some("b"))]
#[case(Flavor::Extended, "[[:digit:]x-]+", "a1-x2b", Some("1-x2"))]
#[case(Flavor::Extended, "\\<b\\w*\\>", "ab bar", Some("bar"))]
#[case(Flavor::Basic, "a\\|ab", "ab", Some("ab"))]
#[case(Flavor::Basic, "*a", "*a", Some("*a"))]
#[case(Flavor::Basic, "^*a", "*a", Some("*a"))]
#[case(Flavor::Basic, "\\(*a\\)", "*a", Some("*a *a"))]
#[case(Flavor::Basic, "a^b$c", "a^b$c", Some("a^b$c"))]
#[case(Flavor::Basic, "a+?|(){}", "a+?|(){}", Some("a+?|(){}"))]
#[case(Flavor::Basic, "\\(a*\\)b\\1", "aabaab", Some("aabaa aa"))]
#[case(Flavor::Basic, "\\(.\\)\\(.\\)\\2\\1", "xabba", Some("abba a b"))]
#[case(Flavor::Basic, "[\\n]", "\\", Some("\\"))]
#[case(Flavor::Basic, "[[.-.]a]", "-", Some("-"))]
#[case(Flavor::Awk, "a{2}", "aaa{2}", Some("a{2}"))]
#[case(Flavor::Awk, "[\\]\\/]\\.", "a].", Some("]."))]
#[case(Flavor::Awk, "\\101+", "xAA", Some("AA"))]
fn matches(#[case] flavor: Flavor, #[case] pattern: &str, #[case] text: &str, #[case] expected: Option<&str>) {
    assert_eq!(find(flavor, pattern, text).map(|groups| groups.join(" ")).as_deref(), expected);
}

#[rstest]
#[case(Flavor::Basic, "\\(a", "Unmatched ( or \\(")]
#[case(Flavor::Basic, "a\\)", "Unmatched ) or \\)")]
#[case(Flavor::Basic, "a\\{1", "Unmatched \\{")]
#[case(Flavor::Basic, "a\\{2,1\\}", "Invalid content of \\{\\}")]
#[case(Flavor::Basic, "a\\{99999\\}", "Regular expression too big")]
#[case(Flavor::Basic, "[a", "Unmatched [, [^, [:, [., or [=")]
#[case(Flavor::Basic, "[[:foo:]]", "Invalid character class name")]
#[case(Flavor::Basic, "[b-a]", "Invalid range end")]
#[case(Flavor::Basic, "\\", "Trailing backslash")]
#[case(Flavor::Basic, "\\(\\1\\)", "Invalid back reference")]
fn mistakes(#[case] flavor: Flavor, #[case] pattern: &str, #[case] message: &str) {
    let error = RegularExpression::new(pattern.as_bytes(), Syntax::new(flavor)).err().unwrap();
    assert_eq!(error.to_string(), message);
}

#[test]
fn depth_and_size_have_limits() {
    let syntax = Syntax::new(Flavor::Extended);
    let deep = [vec![b'('; 100_000], vec![b')'; 100_000]].concat();
    assert_eq!(RegularExpression::new(&deep, syntax).err(), Some(Error::TooBig));
    let allowed = [vec![b'('; 50], b"a*".to_vec(), b")*".repeat(50)].concat();
    assert_eq!(RegularExpression::new(&allowed, syntax).ok().unwrap().is_match(b"aaa"), Ok(true));
    assert_eq!(RegularExpression::new(b"((a{1000}){1000}){1000}", syntax).err(), Some(Error::TooBig));
    assert_eq!(RegularExpression::new(b"(((a{1000}){1000}){1000})\\1", syntax).err(), Some(Error::TooBig));
    assert!(RegularExpression::new(&[&b"a"[..], &vec![b'?'; 100_000]].concat(), syntax).is_err());
}

#[test]
fn a_search_with_back_references_gives_up() {
    let expression = RegularExpression::new(b"((a*)*)*b\\1", Syntax::new(Flavor::Extended)).unwrap();
    assert_eq!(expression.is_match(&[b'a'; 40]), Err(Error::TooHard));
}
