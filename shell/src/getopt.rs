//! Options as getopt_long(3) takes them, with its messages, which users know.

/// An option that a program has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Opt {
    /// Its letter, if it has one.
    pub(crate) short: Option<u8>,
    /// Its long name, if it has one; empty if not.
    pub(crate) long: &'static str,
    /// Whether it takes an argument.
    pub(crate) argument: Takes,
    /// What it is called in what [`parse`] gives.
    pub(crate) id: &'static str,
}

/// Whether an option takes an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Takes {
    /// None.
    Nothing,
    /// One, in the same word or the next.
    Argument,
    /// One if it is in the same word.
    Optional,
}

/// Makes an option: `option("bind", 'B', "bind", Takes::Nothing)`. A letter of `\0` is none.
pub(crate) const fn option(id: &'static str, short: char, long: &'static str, argument: Takes) -> Opt {
    let short = if short == '\0' { None } else { Some(short as u8) };
    Opt { short, long, argument, id }
}

/// Where options end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Options may come after other arguments (GNU programs).
    Permute,
    /// The first argument that is no option is the first of all others (`+` in the C library's string; POSIX).
    Strict,
}

/// What was given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Parsed {
    /// The options in their order, with their arguments.
    pub(crate) options: Vec<(&'static str, Option<Vec<u8>>)>,
    /// The other arguments.
    pub(crate) operands: Vec<Vec<u8>>,
}

impl Parsed {
    /// Whether an option was given.
    pub(crate) fn has(&self, id: &str) -> bool {
        self.options.iter().any(|(given, _)| *given == id)
    }

    /// The argument of the last such option.
    pub(crate) fn value(&self, id: &str) -> Option<&[u8]> {
        self.options.iter().rev().find(|(given, _)| *given == id).and_then(|(_, value)| value.as_deref())
    }
}

/// Takes the arguments after the program's name apart. The error is the message of the C library, without the program's name.
pub(crate) fn parse(known: &[Opt], order: Order, arguments: &[Vec<u8>]) -> Result<Parsed, Vec<u8>> {
    let mut parsed = Parsed::default();
    let mut rest = arguments.iter().map(Vec::as_slice);
    while let Some(word) = rest.next() {
        match word {
            b"--" => {
                parsed.operands.extend(rest.by_ref().map(<[u8]>::to_vec));
            }
            [b'-', b'-', long @ ..] => parsed.options.push(long_option(known, long, &mut rest)?),
            [b'-', letters @ ..] if !letters.is_empty() => {
                short_options(known, letters, &mut rest, &mut parsed.options)?;
            }
            operand => {
                parsed.operands.push(operand.to_vec());
                if order == Order::Strict {
                    parsed.operands.extend(rest.by_ref().map(<[u8]>::to_vec));
                }
            }
        }
    }
    Ok(parsed)
}

type Given = (&'static str, Option<Vec<u8>>);

fn long_option<'a>(known: &[Opt], word: &[u8], rest: &mut impl Iterator<Item = &'a [u8]>) -> Result<Given, Vec<u8>> {
    let mut parts = word.splitn(2, |byte| *byte == b'=');
    let (name, value) = (parts.next().unwrap_or_default(), parts.next());
    let has_prefix = |option: &&Opt| !option.long.is_empty() && option.long.as_bytes().starts_with(name);
    let exact = known.iter().find(|option| !option.long.is_empty() && option.long.as_bytes() == name);
    let candidates: Vec<&Opt> = known.iter().filter(has_prefix).collect();
    let option = match (exact, &candidates[..]) {
        (Some(option), _) => option,
        (None, [option]) => *option,
        (None, []) => return Err([b"unrecognized option '--", word, b"'"].concat()),
        (None, [first, others @ ..]) if others.iter().all(|other| other.id == first.id) => *first,
        (None, several) => {
            let names: Vec<String> = several.iter().map(|option| format!(" '--{}'", option.long)).collect();
            return Err([b"option '--", word, b"' is ambiguous; possibilities:", names.concat().as_bytes()].concat());
        }
    };
    let long = option.long.as_bytes();
    match (option.argument, value) {
        (Takes::Nothing, Some(_)) => Err([b"option '--", long, b"' doesn't allow an argument"].concat()),
        (Takes::Nothing | Takes::Optional, None) => Ok((option.id, None)),
        (Takes::Argument | Takes::Optional, Some(value)) => Ok((option.id, Some(value.to_vec()))),
        (Takes::Argument, None) => match rest.next() {
            Some(value) => Ok((option.id, Some(value.to_vec()))),
            None => Err([b"option '--", long, b"' requires an argument"].concat()),
        },
    }
}

fn short_options<'a>(
    known: &[Opt],
    letters: &[u8],
    rest: &mut impl Iterator<Item = &'a [u8]>,
    given: &mut Vec<Given>,
) -> Result<(), Vec<u8>> {
    let mut letters = letters;
    while let [letter, after @ ..] = letters {
        letters = after;
        let Some(option) = known.iter().find(|option| option.short == Some(*letter)) else {
            return Err([b"invalid option -- '", &[*letter][..], b"'"].concat());
        };
        if option.argument == Takes::Nothing {
            given.push((option.id, None));
            continue;
        }
        let value = match (after.is_empty(), option.argument) {
            (false, _) => Some(after.to_vec()),
            (true, Takes::Optional) => None,
            (true, _) => match rest.next() {
                Some(value) => Some(value.to_vec()),
                None => return Err([b"option requires an argument -- '", &[*letter][..], b"'"].concat()),
            },
        };
        given.push((option.id, value));
        break;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const KNOWN: &[Opt] = &[
        option("bind", 'B', "bind", Takes::Nothing),
        option("options", 'o', "options", Takes::Argument),
        option("options-mode", '\0', "options-mode", Takes::Argument),
        option("mount", 'm', "mount", Takes::Optional),
    ];

    fn words(text: &str) -> Vec<Vec<u8>> {
        text.split_whitespace().map(|word| word.as_bytes().to_vec()).collect()
    }

    #[rstest]
    #[case("-B a", "bind", "a")]
    #[case("a --bind", "bind", "a")]
    #[case("-Bo x a", "bind options=x", "a")]
    #[case("-ox a", "options=x", "a")]
    #[case("--options=x", "options=x", "")]
    #[case("--options x", "options=x", "")]
    #[case("--bi", "bind", "")]
    #[case("-m a", "mount", "a")]
    #[case("-mx a", "mount=x", "a")]
    #[case("--mount=x a", "mount=x", "a")]
    #[case("-- -B", "", "-B")]
    #[case("- x", "", "- x")]
    fn arguments(#[case] line: &str, #[case] options: &str, #[case] operands: &str) {
        let parsed = parse(KNOWN, Order::Permute, &words(line)).unwrap();
        let given: Vec<String> = parsed
            .options
            .iter()
            .map(|(id, value)| match value {
                Some(value) => format!("{id}={}", String::from_utf8_lossy(value)),
                None => (*id).to_string(),
            })
            .collect();
        assert_eq!(given.join(" "), options);
        assert_eq!(parsed.operands, words(operands));
    }

    #[test]
    fn strictly_options_come_first() {
        let parsed = parse(KNOWN, Order::Strict, &words("a -B")).unwrap();
        assert_eq!((parsed.options, parsed.operands), (vec![], words("a -B")));
    }

    #[rstest]
    #[case("-x", "invalid option -- 'x'")]
    #[case("--nothing", "unrecognized option '--nothing'")]
    #[case("-o", "option requires an argument -- 'o'")]
    #[case("--options", "option '--options' requires an argument")]
    #[case("--bind=x", "option '--bind' doesn't allow an argument")]
    #[case("--opt=x", "option '--opt=x' is ambiguous; possibilities: '--options' '--options-mode'")]
    fn mistakes(#[case] line: &str, #[case] message: &str) {
        assert_eq!(parse(KNOWN, Order::Permute, &words(line)), Err(message.as_bytes().to_vec()));
    }
}
