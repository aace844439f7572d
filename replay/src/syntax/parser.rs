//! Calls: arguments as a tree, and the result.

use winnow::ascii::{digit1, hex_digit1, oct_digit0, space0};
use winnow::combinator::{alt, cut_err, delimited, fail, opt, peek, preceded, repeat, separated, terminated};
use winnow::prelude::*;
use winnow::token::{any, literal, one_of, rest, take_until, take_while};

use super::value::{Field, Value};
use super::{SyntaxError, excerpt};

/// How deep structures are nested at most: more than strace does.
const MAX_DEPTH: u32 = 24;

/// A call as it was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParsedCall {
    /// Its name.
    pub name: String,
    /// Its arguments.
    pub arguments: Vec<Field>,
    /// What it returned.
    pub returned: Returned,
}

/// What a call returned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Returned {
    /// A number.
    Value(i128),
    /// `-1`, and the name of the error.
    Error(String),
    /// It did not return, or will be restarted.
    Nothing,
}

type Input<'a> = &'a [u8];

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn identifier(input: &mut Input<'_>) -> ModalResult<String> {
    (one_of(|byte: u8| byte.is_ascii_alphabetic() || byte == b'_'), take_while(0.., is_name))
        .take()
        .map(|name: &[u8]| String::from_utf8_lossy(name).into_owned())
        .parse_next(input)
}

fn radix(digits: &[u8], radix: u32) -> Option<i128> {
    let digits = std::str::from_utf8(digits).ok()?;
    if digits.is_empty() { Some(0) } else { i128::from_str_radix(digits, radix).ok() }
}

fn number(input: &mut Input<'_>) -> ModalResult<i128> {
    let sign = opt("-").map(|sign| if sign.is_some() { -1 } else { 1 });
    let hexadecimal = preceded("0x", hex_digit1).verify_map(|digits| radix(digits, 16));
    let octal = preceded("0", terminated(oct_digit0, peek(winnow::combinator::not(one_of(is_name)))))
        .verify_map(|digits| radix(digits, 8));
    let decimal = digit1.verify_map(|digits| radix(digits, 10));
    let whole = (sign, alt((hexadecimal, octal, decimal))).map(|(sign, number)| sign * number);
    terminated(whole, peek(winnow::combinator::not(one_of(is_name)))).parse_next(input)
}

fn escape(input: &mut Input<'_>) -> ModalResult<u8> {
    let octal = take_while(1..=3, |byte: u8| matches!(byte, b'0'..=b'7'))
        .verify_map(|digits| radix(digits, 8).and_then(|number| u8::try_from(number).ok()));
    let hexadecimal = preceded("x", take_while(1..=2, |byte: u8| byte.is_ascii_hexdigit()))
        .verify_map(|digits| radix(digits, 16).and_then(|number| u8::try_from(number).ok()));
    let letter = any.verify_map(|byte| {
        Some(match byte {
            b'n' => b'\n',
            b't' => b'\t',
            b'r' => b'\r',
            b'v' => 0x0b,
            b'f' => 0x0c,
            b'"' | b'\\' => byte,
            _ => return None,
        })
    });
    preceded("\\", alt((octal, hexadecimal, letter))).parse_next(input)
}

fn text(input: &mut Input<'_>) -> ModalResult<Value> {
    let byte = alt((escape, winnow::token::none_of(|byte: u8| byte == b'"' || byte == b'\\')));
    let bytes = delimited("\"", repeat(0.., byte), "\"");
    (bytes, opt("...")).map(|(bytes, cut)| Value::Text { bytes, is_cut: cut.is_some() }).parse_next(input)
}

/// What is in the brackets behind a descriptor, in which `<` and `>` are escaped.
fn description(input: &mut Input<'_>) -> ModalResult<Vec<u8>> {
    let byte = alt((escape_in_description, winnow::token::none_of(|byte: u8| matches!(byte, b'<' | b'>'))));
    let mut nested = delimited("<", repeat::<_, _, Vec<u8>, _, _>(0.., byte), ">");
    nested.parse_next(input)
}

fn escape_in_description(input: &mut Input<'_>) -> ModalResult<u8> {
    preceded("\\", take_while(3..=3, |byte: u8| matches!(byte, b'0'..=b'7')))
        .verify_map(|digits| radix(digits, 8).and_then(|number| u8::try_from(number).ok()))
        .parse_next(input)
}

fn comment(input: &mut Input<'_>) -> ModalResult<()> {
    (space0, "/*", take_until(0.., "*/"), "*/").void().parse_next(input)
}

/// Commas with spaces; in sets of signals, spaces alone.
fn separator(input: &mut Input<'_>) -> ModalResult<()> {
    alt(((",", space0).void(), " ".void())).parse_next(input)
}

fn list(depth: u32) -> impl FnMut(&mut Input<'_>) -> ModalResult<Vec<Value>> {
    move |input| {
        let items = separated(0.., field(depth).map(|field| field.value), separator);
        delimited("[", items, "]").parse_next(input)
    }
}

fn structure(depth: u32) -> impl FnMut(&mut Input<'_>) -> ModalResult<Value> {
    move |input| {
        delimited("{", separated(0.., field(depth), (",", space0)), "}").map(Value::Structure).parse_next(input)
    }
}

fn applied(depth: u32) -> impl FnMut(&mut Input<'_>) -> ModalResult<Value> {
    move |input| {
        let arguments = separated(0.., field(depth).map(|field| field.value), (",", space0));
        (identifier, delimited("(", arguments, ")"))
            .map(|(name, arguments)| Value::Applied(name, arguments))
            .parse_next(input)
    }
}

fn primary(depth: u32) -> impl FnMut(&mut Input<'_>) -> ModalResult<Value> {
    move |input| {
        let inner = depth.saturating_sub(1);
        let value = alt((
            text,
            list(inner).map(Value::List),
            structure(inner),
            number.map(Value::Number),
            applied(inner),
            identifier.map(Value::Name),
            literal("...").map(|dots: &[u8]| Value::Other(dots.to_vec())),
        ))
        .parse_next(input)?;
        opt(comment).parse_next(input)?;
        let described = opt(description).parse_next(input)?;
        opt(comment).parse_next(input)?;
        Ok(match described {
            Some(description) => Value::Described { value: Box::new(value), description },
            None => value,
        })
    }
}

fn term(depth: u32) -> impl FnMut(&mut Input<'_>) -> ModalResult<Value> {
    move |input| {
        let left = primary(depth).parse_next(input)?;
        let right = opt((alt(("<<", "*")), primary(depth))).parse_next(input)?;
        Ok(match right {
            Some((operator, right)) if operator == b"<<" => Value::Shifted(Box::new(left), Box::new(right)),
            Some((_, right)) => Value::Product(Box::new(left), Box::new(right)),
            None => left,
        })
    }
}

fn union(depth: u32) -> impl FnMut(&mut Input<'_>) -> ModalResult<Value> {
    move |input| {
        let mut terms: Vec<Value> = separated(1.., term(depth), "|").parse_next(input)?;
        match (terms.len(), terms.pop()) {
            (1, Some(only)) => Ok(only),
            (_, Some(last)) => {
                terms.push(last);
                Ok(Value::Union(terms))
            }
            (_, None) => fail.parse_next(input),
        }
    }
}

/// `WIFEXITED(s) && WEXITSTATUS(s) == 0`
fn condition(depth: u32) -> impl FnMut(&mut Input<'_>) -> ModalResult<Value> {
    move |input| {
        let comparison = (union(depth), opt(preceded(" == ", union(depth))));
        let mut all: Vec<(Value, Option<Value>)> = separated(1.., comparison, " && ").parse_next(input)?;
        match (all.len(), all.pop()) {
            (1, Some((only, None))) => Ok(only),
            (_, Some(last)) => {
                all.push(last);
                Ok(Value::All(all))
            }
            (_, None) => fail.parse_next(input),
        }
    }
}

/// The end of a value.
fn end(input: &mut Input<'_>) -> ModalResult<()> {
    let delimiter = one_of(|byte: u8| matches!(byte, b',' | b')' | b']' | b'}' | b' ')).void();
    alt((delimiter, winnow::combinator::eof.void())).parse_next(input)
}

fn structured(depth: u32) -> impl FnMut(&mut Input<'_>) -> ModalResult<Value> {
    move |input| {
        if depth == 0 {
            return fail.parse_next(input);
        }
        let before = condition(depth).parse_next(input)?;
        let after = opt(preceded((space0, "=>", space0), condition(depth))).parse_next(input)?;
        peek(end).parse_next(input)?;
        Ok(match after {
            Some(after) => Value::Changed(Box::new(before), Box::new(after)),
            None => before,
        })
    }
}

/// Anything up to the next comma or closing bracket that is not inside of brackets or quotes.
fn other(input: &mut Input<'_>) -> ModalResult<Value> {
    let mut open = 0_usize;
    let mut is_quoted = false;
    let mut is_escaped = false;
    let mut length = 0_usize;
    for byte in *input {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_quoted => is_escaped = true,
            b'"' => is_quoted = !is_quoted,
            _ if is_quoted => {}
            b'(' | b'[' | b'{' => open += 1,
            b')' | b']' | b'}' | b',' if open == 0 => break,
            b')' | b']' | b'}' => open -= 1,
            _ => {}
        }
        length += 1;
    }
    if length == 0 || open > 0 || is_quoted {
        return fail.parse_next(input);
    }
    winnow::token::take(length).map(|text: &[u8]| Value::Other(text.to_vec())).parse_next(input)
}

fn field(depth: u32) -> impl FnMut(&mut Input<'_>) -> ModalResult<Field> {
    move |input| {
        let name = opt(terminated(identifier, ("=", winnow::combinator::not("=")))).parse_next(input)?;
        let value = alt((structured(depth), other)).parse_next(input)?;
        Ok(Field { name, value })
    }
}

fn returned(input: &mut Input<'_>) -> ModalResult<Returned> {
    let error = preceded(("-1", space0), identifier).map(Returned::Error);
    let nothing = "?".value(Returned::Nothing);
    // What follows says the same once more, in words.
    terminated(alt((error, nothing, number.map(Returned::Value))), rest).parse_next(input)
}

/// Takes a call apart: `mount("a", "b", NULL, MS_BIND, NULL) = 0`.
///
/// # Errors
///
/// If it ends too early, or has no result.
pub fn parse_call(text: &[u8]) -> Result<ParsedCall, SyntaxError> {
    let mut input = text;
    let start = terminated(identifier, "(").parse_next(&mut input);
    let name = start.map_err(|_| SyntaxError::NoLine(excerpt(text)))?;
    let separator = (opt(" "), ",", space0);
    let list = terminated(separated(0.., field(MAX_DEPTH), separator), (opt(" "), opt("<unfinished ...>"), ")"));
    let arguments = cut_err(list).parse_next(&mut input);
    let Ok(arguments) = arguments else {
        return Err(SyntaxError::Arguments { name, rest: excerpt(input) });
    };
    let result = preceded((space0, "=", space0), returned).parse_next(&mut input);
    match result {
        Ok(returned) => Ok(ParsedCall { name, arguments, returned }),
        Err(_) => Err(SyntaxError::Result { name, rest: excerpt(input) }),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn arguments(text: &str) -> Vec<Value> {
        let call = parse_call(format!("f({text}) = 0").as_bytes()).unwrap();
        call.arguments.into_iter().map(|field| field.value).collect()
    }

    fn name(text: &str) -> Value {
        Value::Name(text.into())
    }

    fn string(text: &str) -> Value {
        Value::Text { bytes: text.into(), is_cut: false }
    }

    #[rstest]
    #[case("NULL, AT_FDCWD", vec![name("NULL"), name("AT_FDCWD")])]
    #[case("0, -1, 0755, 0x1f, 022", [0, -1, 0o755, 31, 0o22].map(Value::Number).to_vec())]
    #[case(r#""a\n\"\\\0\303\251\x41""#, vec![Value::Text { bytes: b"a\n\"\\\0\xc3\xa9A".into(), is_cut: false }])]
    #[case(r#""ab"..., 3"#, vec![Value::Text { bytes: b"ab".into(), is_cut: true }, Value::Number(3)])]
    #[case("MS_BIND|0x8", vec![Value::Union(vec![name("MS_BIND"), Value::Number(8)])])]
    #[case("0x30 /* CAP_??? */", vec![Value::Number(0x30)])]
    #[case("makedev(0x1, 0x3)", vec![Value::Applied("makedev".into(), vec![Value::Number(1), Value::Number(3)])])]
    #[case("[INT TERM]", vec![Value::List(vec![name("INT"), name("TERM")])])]
    #[case("~[RTMIN RT_1]", vec![Value::Other("~[RTMIN RT_1]".into())])]
    #[case("8192*1024", vec![Value::Product(Value::Number(8192).into(), Value::Number(1024).into())])]
    #[case("sun_path=@\"a,b\"", vec![Value::Other("@\"a,b\"".into())])]
    #[case("", vec![])]
    fn values(#[case] text: &str, #[case] expected: Vec<Value>) {
        assert_eq!(arguments(text), expected);
    }

    #[test]
    fn structures() {
        let parsed = arguments("{st_mode=S_IFDIR|0755, st_size=40, ...}, AT_EMPTY_PATH");
        let mode = Value::Union(vec![name("S_IFDIR"), Value::Number(0o755)]);
        assert_eq!(parsed[0].field("st_mode"), Some(&mode));
        assert_eq!(parsed[0].field("st_uid"), None);
        assert_eq!(parsed[1], name("AT_EMPTY_PATH"));
        let capabilities = arguments("{effective=1<<CAP_CHOWN|1<<CAP_KILL, permitted=0}");
        assert!(matches!(capabilities[0].field("effective"), Some(Value::Union(terms)) if terms.len() == 2));
    }

    #[test]
    fn what_changes_is_known_before_and_after() {
        let parsed = arguments("{flags=CLONE_VM, exit_signal=SIGCHLD} => {parent_tid=[12]}, 88");
        assert_eq!(parsed[0].field("flags"), Some(&name("CLONE_VM")));
        assert_eq!(parsed[0].field("parent_tid"), Some(&Value::List(vec![Value::Number(12)])));
    }

    #[test]
    fn conditions() {
        let parsed = arguments("-1, [{WIFEXITED(s) && WEXITSTATUS(s) == 3}], 0, NULL");
        let applied = |name: &str| Value::Applied(name.into(), vec![Value::Name("s".into())]);
        let all = vec![(applied("WIFEXITED"), None), (applied("WEXITSTATUS"), Some(Value::Number(3)))];
        let status = Value::Structure(vec![Field { name: None, value: Value::All(all) }]);
        assert_eq!(parsed[1], Value::List(vec![status]));
    }

    #[test]
    fn descriptors_can_be_described() {
        let described = |value, description: &str| Value::Described { value, description: description.into() };
        let parsed = arguments(r#"3</a b>, AT_FDCWD</root>, 4<pipe:[12]>, 5</a\076b>, "x", -100 /* AT_FDCWD */</>"#);
        assert_eq!(parsed[5], described(Value::Number(-100).into(), "/"));
        assert_eq!(parsed[0], described(Value::Number(3).into(), "/a b"));
        assert_eq!(parsed[1], described(name("AT_FDCWD").into(), "/root"));
        assert_eq!(parsed[2], described(Value::Number(4).into(), "pipe:[12]"));
        assert_eq!(parsed[3], described(Value::Number(5).into(), "/a>b"));
        assert_eq!(parsed[4], string("x"));
    }

    #[rstest]
    #[case("f() = 3", Returned::Value(3))]
    #[case("f()                = 022", Returned::Value(0o22))]
    #[case("f() = 0x7f00 (flags O_RDONLY)", Returned::Value(0x7f00))]
    #[case("f() = 3</x> <0.000012>", Returned::Value(3))]
    #[case("f() = -1 EINVAL (Invalid argument)", Returned::Error("EINVAL".into()))]
    #[case("f() = ?", Returned::Nothing)]
    #[case("f() = ? ERESTARTSYS (To be restarted if SA_RESTART is set)", Returned::Nothing)]
    #[case("f(0 <unfinished ...>) = ?", Returned::Nothing)]
    fn results(#[case] text: &str, #[case] expected: Returned) {
        assert_eq!(parse_call(text.as_bytes()).unwrap().returned, expected);
    }

    #[rstest]
    #[case("f(")]
    #[case("f(\"abc")]
    #[case("f(3")]
    #[case("f(3)")]
    #[case("f(3) = ")]
    #[case("f(3) = x")]
    #[case("(3) = 0")]
    fn mistakes(#[case] text: &str) {
        assert!(parse_call(text.as_bytes()).is_err());
    }

    #[test]
    fn deep_nesting_is_no_problem() {
        let text = format!("f({}{}) = 0", "[".repeat(100_000), "]".repeat(100_000));
        assert!(parse_call(text.as_bytes()).is_ok());
    }
}
