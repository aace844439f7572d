//! Expressions, from the loosest operator to the tightest.

use std::rc::Rc;

use super::super::lexer::Token;
use super::super::syntax::{Arithmetic, Builtin, Comparison, Expression, Source, Variable};
use super::{Kind, Parsed, Parser};

/// How many operators of one kind may follow each other.
const CHAIN_LIMIT: usize = 1000;

impl Parser<'_> {
    pub(super) fn list(&mut self) -> Parsed<Vec<Expression>> {
        let mut list = vec![self.expression()?];
        while self.accept(",")? {
            self.skip_newlines()?;
            list.push(self.expression()?);
        }
        Ok(list)
    }

    pub(super) fn expression(&mut self) -> Parsed<Expression> {
        self.nested(Self::ternary)
    }

    fn ternary(&mut self) -> Parsed<Expression> {
        let condition = self.or()?;
        if self.is("=") || matches!(self.token, Token::Assign(_)) {
            let target = match condition {
                // `!x = y` and its like assign to the last operand.
                Expression::Variable(_) | Expression::Field(_) | Expression::Element(..) => condition,
                _ => return self.unexpected(),
            };
            let operator = match self.advance()? {
                Token::Assign(operator) => Some(operator),
                _ => None,
            };
            self.skip_newlines()?;
            let value = self.expression()?;
            return Ok(Expression::Assign(operator, Box::new(target), Box::new(value)));
        }
        if !self.accept("?")? {
            return Ok(condition);
        }
        self.skip_newlines()?;
        let then = self.expression()?;
        self.skip_newlines()?;
        self.expect(":")?;
        self.skip_newlines()?;
        let otherwise = self.expression()?;
        Ok(Expression::Conditional(Box::new(condition), Box::new(then), Box::new(otherwise)))
    }

    /// Guards against chains of operators that are too long: their tree is as deep.
    fn link(&self, links: &mut usize) -> Parsed<()> {
        *links += 1;
        if *links > CHAIN_LIMIT { self.wrong("an expression is too long") } else { Ok(()) }
    }

    fn or(&mut self) -> Parsed<Expression> {
        let mut left = self.and()?;
        let mut links = 0;
        while self.accept("||")? {
            self.link(&mut links)?;
            self.skip_newlines()?;
            left = Expression::Or(Box::new(left), Box::new(self.and()?));
        }
        Ok(left)
    }

    fn and(&mut self) -> Parsed<Expression> {
        let mut left = self.membership()?;
        let mut links = 0;
        while self.accept("&&")? {
            self.link(&mut links)?;
            self.skip_newlines()?;
            left = Expression::And(Box::new(left), Box::new(self.membership()?));
        }
        Ok(left)
    }

    fn membership(&mut self) -> Parsed<Expression> {
        let mut left = self.matching()?;
        let mut links = 0;
        while self.is_keyword("in") && !self.no_in {
            self.link(&mut links)?;
            self.advance()?;
            let Token::Name(name) = self.token.clone() else { return self.unexpected() };
            self.advance()?;
            let array = self.variable(&name, Kind::Array)?;
            let key = match left {
                Expression::List(list) => list,
                other => vec![other],
            };
            left = Expression::In(key, array);
        }
        Ok(left)
    }

    fn matching(&mut self) -> Parsed<Expression> {
        let mut left = self.comparison()?;
        let mut links = 0;
        loop {
            self.link(&mut links)?;
            let is_negated = self.is("!~");
            if !is_negated && !self.is("~") {
                return Ok(left);
            }
            self.advance()?;
            left = Expression::Match(is_negated, Box::new(left), Box::new(self.comparison()?));
        }
    }

    fn comparison(&mut self) -> Parsed<Expression> {
        let mut left = self.concatenation()?;
        let mut links = 0;
        loop {
            self.link(&mut links)?;
            let Token::Operator(operator) = self.token else { return Ok(left) };
            let comparison = match operator {
                "<" => Comparison::Less,
                "<=" => Comparison::LessOrEqual,
                "==" => Comparison::Equal,
                "!=" => Comparison::NotEqual,
                ">" if !self.no_greater => Comparison::Greater,
                ">=" => Comparison::GreaterOrEqual,
                _ => return Ok(left),
            };
            self.advance()?;
            left = Expression::Comparison(comparison, Box::new(left), Box::new(self.concatenation()?));
        }
    }

    fn concatenation(&mut self) -> Parsed<Expression> {
        let mut left = self.additive()?;
        let mut links = 0;
        loop {
            self.link(&mut links)?;
            let starts = match &self.token {
                Token::Number(_) | Token::String(_) | Token::Name(_) | Token::Function(_) | Token::Builtin(_) => true,
                Token::Operator(operator) => matches!(*operator, "$" | "!" | "(" | "-" | "+" | "++" | "--"),
                _ => false,
            };
            if !starts {
                return Ok(left);
            }
            left = Expression::Concatenation(Box::new(left), Box::new(self.additive()?));
        }
    }

    fn additive(&mut self) -> Parsed<Expression> {
        let mut left = self.multiplicative()?;
        let mut links = 0;
        loop {
            self.link(&mut links)?;
            let operator = match &self.token {
                Token::Operator("+") => Arithmetic::Add,
                Token::Operator("-") => Arithmetic::Subtract,
                _ => return Ok(left),
            };
            self.advance()?;
            left = Expression::Arithmetic(operator, Box::new(left), Box::new(self.multiplicative()?));
        }
    }

    fn multiplicative(&mut self) -> Parsed<Expression> {
        let mut left = self.unary()?;
        let mut links = 0;
        loop {
            self.link(&mut links)?;
            let operator = match &self.token {
                Token::Operator("*") => Arithmetic::Multiply,
                Token::Operator("/") => Arithmetic::Divide,
                Token::Operator("%") => Arithmetic::Remainder,
                _ => return Ok(left),
            };
            self.advance()?;
            left = Expression::Arithmetic(operator, Box::new(left), Box::new(self.unary()?));
        }
    }

    fn unary(&mut self) -> Parsed<Expression> {
        let Token::Operator(operator @ ("!" | "-" | "+")) = self.token else { return self.power() };
        self.advance()?;
        let operand = self.nested(Self::unary)?;
        // An assignment has the operand as its target: `!x = y`.
        let operand = if self.is("=")
            && matches!(operand, Expression::Variable(_) | Expression::Field(_) | Expression::Element(..))
        {
            self.advance()?;
            Expression::Assign(None, Box::new(operand), Box::new(self.expression()?))
        } else {
            operand
        };
        Ok(match operator {
            "!" => Expression::Not(Box::new(operand)),
            "-" => Expression::Negative(Box::new(operand)),
            _ => Expression::Positive(Box::new(operand)),
        })
    }

    fn power(&mut self) -> Parsed<Expression> {
        let base = self.postfix()?;
        if !self.accept("^")? {
            return Ok(base);
        }
        // It is right-associative, and binds tighter than a sign before it, but not than one behind it.
        let exponent = self.nested(Self::unary)?;
        Ok(Expression::Arithmetic(Arithmetic::Power, Box::new(base), Box::new(exponent)))
    }

    fn postfix(&mut self) -> Parsed<Expression> {
        for (operator, by) in [("++", 1.0), ("--", -1.0)] {
            if self.accept(operator)? {
                let target = self.nested(Self::primary)?;
                if !is_target(&target) {
                    return self.unexpected();
                }
                return Ok(Expression::Increment { target: Box::new(target), by, is_prefix: true });
            }
        }
        let mut expression = self.primary()?;
        if is_target(&expression) {
            for (operator, by) in [("++", 1.0), ("--", -1.0)] {
                if self.accept(operator)? {
                    expression = Expression::Increment { target: Box::new(expression), by, is_prefix: false };
                    break;
                }
            }
        }
        while self.is("|") && *self.peek()? == Token::Keyword("getline") {
            self.advance()?;
            self.advance()?;
            let target = self.optional_target()?;
            expression = Expression::Getline(Source::Command(Box::new(expression)), target);
        }
        Ok(expression)
    }

    /// What a line is read into.
    fn optional_target(&mut self) -> Parsed<Option<Box<Expression>>> {
        if !matches!(self.token, Token::Name(_)) && !self.is("$") {
            return Ok(None);
        }
        Ok(Some(Box::new(self.nested(Self::primary)?)))
    }

    fn primary(&mut self) -> Parsed<Expression> {
        match self.token.clone() {
            Token::Number(number) => {
                self.advance()?;
                Ok(Expression::Number(number))
            }
            Token::String(text) => {
                self.advance()?;
                Ok(Expression::String(text))
            }
            Token::Pattern(text) => {
                self.advance()?;
                Ok(Expression::Pattern(self.pattern(text)))
            }
            Token::Name(name) => {
                self.advance()?;
                if self.is("(") && self.functions.contains_key(&name) {
                    return self.call(&name);
                }
                self.name(&name)
            }
            Token::Function(name) => {
                self.advance()?;
                self.call(&name)
            }
            Token::Builtin(builtin) => {
                self.advance()?;
                self.builtin(builtin)
            }
            Token::Keyword("getline") => {
                self.advance()?;
                let target = self.optional_target()?;
                if self.accept("<")? {
                    let file = self.nested(Self::primary)?;
                    return Ok(Expression::Getline(Source::File(Box::new(file)), target));
                }
                Ok(Expression::Getline(Source::Main, target))
            }
            Token::Operator("$") => {
                self.advance()?;
                let index = self.nested(|parser| match parser.token {
                    Token::Operator("-" | "+" | "!") => parser.unary(),
                    Token::Operator("++" | "--") => parser.postfix(),
                    _ => parser.primary(),
                })?;
                Ok(Expression::Field(Box::new(index)))
            }
            Token::Operator("(") => self.parenthesized(),
            _ => self.unexpected(),
        }
    }

    fn parenthesized(&mut self) -> Parsed<Expression> {
        self.expect("(")?;
        let saved = (std::mem::take(&mut self.no_greater), std::mem::take(&mut self.no_in));
        let mut list = self.list()?;
        (self.no_greater, self.no_in) = saved;
        self.skip_newlines()?;
        self.expect(")")?;
        if list.len() == 1
            && let Some(expression) = list.pop()
        {
            return Ok(Expression::Parentheses(Box::new(expression)));
        }
        Ok(Expression::List(list))
    }

    fn pattern(&mut self, text: Rc<[u8]>) -> usize {
        self.program.patterns.push(text);
        self.program.patterns.len() - 1
    }

    fn name(&mut self, name: &[u8]) -> Parsed<Expression> {
        if self.is("[") {
            let array = self.variable(name, Kind::Array)?;
            self.advance()?;
            let saved = std::mem::take(&mut self.no_greater);
            let key = self.list()?;
            self.no_greater = saved;
            self.expect("]")?;
            return Ok(Expression::Element(array, key));
        }
        Ok(Expression::Variable(self.variable(name, Kind::Scalar)?))
    }

    fn arguments(&mut self) -> Parsed<Vec<Expression>> {
        self.expect("(")?;
        let saved = std::mem::take(&mut self.no_greater);
        let mut arguments = Vec::new();
        self.skip_newlines()?;
        while !self.is(")") {
            arguments.push(self.argument()?);
            self.skip_newlines()?;
            if !self.accept(",")? {
                break;
            }
            self.skip_newlines()?;
        }
        self.no_greater = saved;
        self.expect(")")?;
        Ok(arguments)
    }

    /// An argument: a name alone may be an array.
    fn argument(&mut self) -> Parsed<Expression> {
        if let Token::Name(name) = self.token.clone()
            && matches!(self.peek()?, Token::Operator("," | ")"))
        {
            self.advance()?;
            return Ok(Expression::Variable(self.variable(&name, Kind::Unknown)?));
        }
        self.expression()
    }

    fn call(&mut self, name: &[u8]) -> Parsed<Expression> {
        if self.globals.contains_key(name) || self.parameters.iter().any(|(known, _)| known == name) {
            return self.unexpected();
        }
        let index = self.function_named(name);
        let arguments = self.arguments()?;
        for (position, argument) in arguments.iter().enumerate() {
            if let Expression::Variable(variable) = argument {
                self.passed.push((index, position, self.current, *variable));
            } else {
                self.passed_values.push((index, position, self.line));
            }
        }
        if let Some(function) = self.program.functions.get(index).filter(|function| function.is_defined)
            && arguments.len() > function.parameters
        {
            return self.wrong([b"too many arguments in call to ", name].concat());
        }
        Ok(Expression::Call(index, arguments))
    }

    fn builtin(&mut self, builtin: Builtin) -> Parsed<Expression> {
        let (fewest, most) = match builtin {
            Builtin::Rand => (0, 0),
            Builtin::Length | Builtin::Srand | Builtin::Fflush => (0, 1),
            Builtin::Atan2 | Builtin::Index | Builtin::Match => (2, 2),
            Builtin::Split | Builtin::Substr | Builtin::Sub | Builtin::Gsub => (2, 3),
            Builtin::Sprintf => (1, usize::MAX),
            _ => (1, 1),
        };
        let arguments = if self.is("(") {
            self.arguments()?
        } else if builtin == Builtin::Length {
            Vec::new()
        } else {
            return self.unexpected();
        };
        if arguments.len() < fewest || arguments.len() > most {
            let name = format!("{builtin:?}").to_lowercase();
            return self.wrong(format!("wrong number of arguments in call to {name}"));
        }
        if builtin == Builtin::Length
            && let Some(Expression::Variable(Variable::Global(index))) = arguments.first()
            && !self.passed.iter().any(|(.., variable)| *variable == Variable::Global(*index))
            && let Some(kind @ Kind::Unknown) = self.kinds.get_mut(*index)
        {
            // What is no array yet, is none.
            *kind = Kind::Scalar;
        }
        if builtin == Builtin::Split
            && let Some(Expression::Variable(variable)) = arguments.get(1)
        {
            self.mark_array(*variable)?;
        } else if builtin == Builtin::Split {
            return self.unexpected();
        }
        if matches!(builtin, Builtin::Sub | Builtin::Gsub) && arguments.get(2).is_some_and(|target| !is_target(target))
        {
            return self.unexpected();
        }
        Ok(Expression::Builtin(builtin, arguments))
    }

    fn mark_array(&mut self, variable: Variable) -> Parsed<()> {
        let name = match variable {
            Variable::Global(index) => self.program.globals.get(index).cloned(),
            Variable::Local(index) => self.parameters.get(index).map(|(name, _)| name.clone()),
        };
        self.variable(&name.unwrap_or_default(), Kind::Array).map(drop)
    }
}

fn is_target(expression: &Expression) -> bool {
    matches!(expression, Expression::Variable(_) | Expression::Field(_) | Expression::Element(..))
}
