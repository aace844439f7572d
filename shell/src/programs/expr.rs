//! expr(1)

use crate::execution::Execution;

use super::regular_expression::{Flavor, RegularExpression, Syntax};
use super::utility::misuse;

/// How deep parentheses may be nested.
const DEPTH_LIMIT: usize = 50;

/// What is wrong with an expression.
enum Mistake {
    Message(Vec<u8>),
    /// Of a kind that ends with another status.
    Trouble(Vec<u8>, i32),
}

struct Parser<'a> {
    words: &'a [Vec<u8>],
    depth: usize,
}

fn integer(text: &[u8]) -> Option<i128> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// Whether a value is null: empty, or zero.
fn is_null(text: &[u8]) -> bool {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    text.is_empty() || !digits.is_empty() && digits.iter().all(|byte| *byte == b'0')
}

impl Parser<'_> {
    fn accept(&mut self, operators: &[&str]) -> Option<Vec<u8>> {
        let (first, rest) = self.words.split_first()?;
        if !operators.iter().any(|operator| operator.as_bytes() == first) {
            return None;
        }
        self.words = rest;
        Some(first.clone())
    }

    fn or(&mut self) -> Result<Vec<u8>, Mistake> {
        let mut left = self.and()?;
        while self.accept(&["|"]).is_some() {
            let right = self.and()?;
            if is_null(&left) {
                left = if is_null(&right) { b"0".to_vec() } else { right };
            }
        }
        Ok(left)
    }

    fn and(&mut self) -> Result<Vec<u8>, Mistake> {
        let mut left = self.comparison()?;
        while self.accept(&["&"]).is_some() {
            let right = self.comparison()?;
            if is_null(&left) || is_null(&right) {
                left = b"0".to_vec();
            }
        }
        Ok(left)
    }

    fn comparison(&mut self) -> Result<Vec<u8>, Mistake> {
        let mut left = self.sum()?;
        while let Some(operator) = self.accept(&["<", "<=", "=", "==", "!=", ">=", ">"]) {
            let right = self.sum()?;
            let order = match (integer(&left), integer(&right)) {
                (Some(left), Some(right)) => left.cmp(&right),
                _ => left.cmp(&right),
            };
            let holds = match &operator[..] {
                b"<" => order.is_lt(),
                b"<=" => order.is_le(),
                b"=" | b"==" => order.is_eq(),
                b"!=" => order.is_ne(),
                b">=" => order.is_ge(),
                _ => order.is_gt(),
            };
            left = if holds { b"1".to_vec() } else { b"0".to_vec() };
        }
        Ok(left)
    }

    fn sum(&mut self) -> Result<Vec<u8>, Mistake> {
        let mut left = self.product()?;
        while let Some(operator) = self.accept(&["+", "-"]) {
            let right = self.product()?;
            left = arithmetic(&operator, &left, &right)?;
        }
        Ok(left)
    }

    fn product(&mut self) -> Result<Vec<u8>, Mistake> {
        let mut left = self.matching()?;
        while let Some(operator) = self.accept(&["*", "/", "%"]) {
            let right = self.matching()?;
            left = arithmetic(&operator, &left, &right)?;
        }
        Ok(left)
    }

    fn matching(&mut self) -> Result<Vec<u8>, Mistake> {
        let mut left = self.function()?;
        while self.accept(&[":"]).is_some() {
            let right = self.function()?;
            left = matched(&left, &right)?;
        }
        Ok(left)
    }

    fn function(&mut self) -> Result<Vec<u8>, Mistake> {
        if self.depth >= DEPTH_LIMIT {
            return Err(Mistake::Trouble(b"expression is nested too deep".to_vec(), 3));
        }
        self.depth += 1;
        let value = self.function_here();
        self.depth -= 1;
        value
    }

    fn function_here(&mut self) -> Result<Vec<u8>, Mistake> {
        if self.accept(&["+"]).is_some() {
            let (first, rest) = self.words.split_first().ok_or_else(|| missing(b"+"))?;
            self.words = rest;
            return Ok(first.clone());
        }
        if self.accept(&["length"]).is_some() {
            return Ok(self.function()?.len().to_string().into_bytes());
        }
        if self.accept(&["match"]).is_some() {
            let (text, pattern) = (self.function()?, self.function()?);
            return matched(&text, &pattern);
        }
        if self.accept(&["index"]).is_some() {
            let (text, set) = (self.function()?, self.function()?);
            let at = text.iter().position(|byte| set.contains(byte)).map_or(0, |at| at + 1);
            return Ok(at.to_string().into_bytes());
        }
        if self.accept(&["substr"]).is_some() {
            let (text, start, length) = (self.function()?, self.function()?, self.function()?);
            let number = |text: &[u8]| {
                integer(text).and_then(|number| usize::try_from(number).ok()).filter(|number| *number > 0)
            };
            let (Some(start), Some(length)) = (number(&start), number(&length)) else { return Ok(Vec::new()) };
            return Ok(text.into_iter().skip(start - 1).take(length).collect());
        }
        self.primary()
    }

    fn primary(&mut self) -> Result<Vec<u8>, Mistake> {
        let Some((first, rest)) = self.words.split_first() else { return Err(missing(b"")) };
        self.words = rest;
        match &first[..] {
            b"(" => {
                let value = self.or()?;
                if self.accept(&[")"]).is_some() {
                    return Ok(value);
                }
                match self.words.first() {
                    Some(other) => {
                        Err(Mistake::Message([b"syntax error: expecting ')' instead of '", &other[..], b"'"].concat()))
                    }
                    None => Err(Mistake::Message(b"syntax error: expecting ')' after".to_vec())),
                }
            }
            b")" => Err(Mistake::Message(b"syntax error: unexpected ')'".to_vec())),
            _ => Ok(first.clone()),
        }
    }
}

fn missing(after: &[u8]) -> Mistake {
    Mistake::Message([b"syntax error: missing argument after '", after, b"'"].concat())
}

fn arithmetic(operator: &[u8], left: &[u8], right: &[u8]) -> Result<Vec<u8>, Mistake> {
    let (Some(left), Some(right)) = (integer(left), integer(right)) else {
        return Err(Mistake::Trouble(b"non-integer argument".to_vec(), 2));
    };
    let result = match operator {
        b"+" => left.checked_add(right),
        b"-" => left.checked_sub(right),
        b"*" => left.checked_mul(right),
        _ if right == 0 => return Err(Mistake::Trouble(b"division by zero".to_vec(), 2)),
        b"/" => left.checked_div(right),
        _ => left.checked_rem(right),
    };
    match result {
        Some(result) => Ok(result.to_string().into_bytes()),
        None => Err(Mistake::Trouble(b"the result is too large to be simulated".to_vec(), 3)),
    }
}

fn matched(text: &[u8], pattern: &[u8]) -> Result<Vec<u8>, Mistake> {
    let trouble = |error: super::regular_expression::Error| Mistake::Trouble(error.to_string().into_bytes(), 2);
    // It is anchored at the beginning.
    let expression = RegularExpression::new(pattern, Syntax::new(Flavor::Basic)).map_err(trouble)?;
    let anchored = match pattern.first() {
        Some(b'^') => expression,
        _ => RegularExpression::new(&[b"^", pattern].concat(), Syntax::new(Flavor::Basic)).map_err(trouble)?,
    };
    let found = anchored.find(text, 0).map_err(trouble)?.filter(|found| found.range.start == 0);
    if anchored.groups() > 0 {
        let range = found.and_then(|found| found.group(1));
        return Ok(range.and_then(|range| text.get(range)).unwrap_or_default().to_vec());
    }
    Ok(found.map_or(0, |found| found.range.len()).to_string().into_bytes())
}

/// expr(1)
pub(crate) async fn expr(execution: &mut Execution) -> i32 {
    let words = execution.arguments.get(1..).unwrap_or_default();
    let words = words.strip_prefix(&[b"--".to_vec()]).unwrap_or(words).to_vec();
    if words.is_empty() {
        return misuse(execution, "missing operand", 2).await.0;
    }
    let mut parser = Parser { words: &words, depth: 0 };
    let result = parser.or().and_then(|value| match parser.words.first() {
        None => Ok(value),
        Some(extra) => Err(Mistake::Message([b"syntax error: unexpected argument '", &extra[..], b"'"].concat())),
    });
    match result {
        Ok(value) => {
            let status = i32::from(is_null(&value));
            execution.print([&value[..], b"\n"].concat());
            status
        }
        Err(Mistake::Message(mut message)) => {
            if message.ends_with(b"after ''") || message.ends_with(b"after") {
                let last = words.last().cloned().unwrap_or_default();
                let kept = message.strip_suffix(b" ''").map(<[u8]>::to_vec).unwrap_or(message);
                message = [&kept[..], b" '", &last, b"'"].concat();
            }
            execution.complain(message).await;
            2
        }
        Err(Mistake::Trouble(message, status)) => {
            execution.complain(message).await;
            status
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
mod tests {
    use crate::testing::Trial;

    #[test]
    fn parentheses_that_are_nested_too_deep_are_refused() {
        let mut words = vec!["expr"];
        words.resize(50_000, "(");
        let (status, output, error) = Trial::new().run_words(&words);
        assert_eq!((status, output.as_str(), error.as_str()), (3, "", "expr: expression is nested too deep\n"));
    }
}
