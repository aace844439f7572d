//! From the syntax tree to instructions.

use super::code::{Code, Destination, Instruction, Origin, Place, Separator};
use super::syntax::{Builtin, Expression, Pattern, Program, Source, Statement, Target, Variable};
use super::value::Value;

/// Loops that are open: where their `break` and `continue` are.
#[derive(Default)]
struct Loop {
    breaks: Vec<usize>,
    continues: Vec<usize>,
}

#[derive(Default)]
struct Compiler {
    code: Code,
    loops: Vec<Loop>,
}

pub(super) fn compile(program: &Program) -> Code {
    let mut compiler = Compiler::default();
    for function in &program.functions {
        let start = compiler.here();
        compiler.code.functions.push(start);
        compiler.statements(&function.body);
        compiler.push(Instruction::Push(Value::Uninitialized));
        compiler.push(Instruction::Return);
    }
    compiler.code.begin = compiler.here();
    compiler.code.has_begin = !program.begin.is_empty();
    compiler.statements(&program.begin);
    compiler.push(Instruction::End);
    compiler.code.main = compiler.here();
    compiler.code.has_main = !program.rules.is_empty();
    for (pattern, body) in &program.rules {
        compiler.rule(pattern, body.as_deref());
    }
    compiler.push(Instruction::End);
    compiler.code.end = compiler.here();
    compiler.code.has_end = program.has_end;
    compiler.statements(&program.end);
    compiler.push(Instruction::End);
    compiler.code
}

impl Compiler {
    fn here(&self) -> usize {
        self.code.instructions.len()
    }

    fn push(&mut self, instruction: Instruction) -> usize {
        self.code.instructions.push(instruction);
        self.here() - 1
    }

    /// Makes jumps lead to a place.
    fn land(&mut self, jumps: &[usize], target: usize) {
        for jump in jumps {
            if let Some(
                Instruction::Jump(place)
                | Instruction::JumpIf(place)
                | Instruction::JumpUnless(place)
                | Instruction::JumpKeepingIf(place)
                | Instruction::JumpKeepingUnless(place)
                | Instruction::LoopNext(place),
            ) = self.code.instructions.get_mut(*jump)
            {
                *place = target;
            }
        }
    }

    fn rule(&mut self, pattern: &Pattern, body: Option<&[Statement]>) {
        let skip = match pattern {
            Pattern::Always => None,
            Pattern::Expression(expression) => {
                self.expression(expression);
                Some(self.push(Instruction::JumpUnless(0)))
            }
            Pattern::Range(first, last) => {
                let range = self.code.ranges;
                self.code.ranges += 1;
                self.push(Instruction::Range(range));
                let is_on = self.push(Instruction::JumpIf(0));
                self.expression(first);
                let skip = self.push(Instruction::JumpUnless(0));
                self.push(Instruction::SetRange(range, true));
                let here = self.here();
                self.land(&[is_on], here);
                self.expression(last);
                let goes_on = self.push(Instruction::JumpUnless(0));
                self.push(Instruction::SetRange(range, false));
                let here = self.here();
                self.land(&[goes_on], here);
                Some(skip)
            }
        };
        match body {
            Some(body) => self.statements(body),
            None => drop(self.push(Instruction::PrintRecord)),
        }
        if let Some(skip) = skip {
            let here = self.here();
            self.land(&[skip], here);
        }
    }

    fn statements(&mut self, statements: &[Statement]) {
        for statement in statements {
            self.statement(statement);
        }
    }

    fn statement(&mut self, statement: &Statement) {
        match statement {
            Statement::Expression(expression) => {
                self.expression(expression);
                self.push(Instruction::Pop);
            }
            Statement::Print(arguments, target) => {
                for argument in arguments {
                    self.expression(argument);
                }
                let destination = self.destination(target.as_ref());
                self.push(Instruction::Print(arguments.len(), destination));
            }
            Statement::Printf(arguments, target) => {
                for argument in arguments {
                    self.expression(argument);
                }
                let destination = self.destination(target.as_ref());
                self.push(Instruction::Printf(arguments.len(), destination));
            }
            Statement::Block(statements) => self.statements(statements),
            Statement::If(condition, then, otherwise) => {
                self.expression(condition);
                let skip = self.push(Instruction::JumpUnless(0));
                self.statement(then);
                let mut end = skip;
                if let Some(otherwise) = otherwise {
                    end = self.push(Instruction::Jump(0));
                    let here = self.here();
                    self.land(&[skip], here);
                    self.statement(otherwise);
                }
                let here = self.here();
                self.land(&[end], here);
            }
            Statement::While(condition, body) => self.for_loop(None, Some(condition), None, body),
            Statement::For(start, condition, step, body) => {
                self.for_loop(start.as_deref(), condition.as_ref(), step.as_deref(), body);
            }
            Statement::DoWhile(body, condition) => {
                let start = self.here();
                self.loops.push(Loop::default());
                self.statement(body);
                let open = self.loops.pop().unwrap_or_default();
                let here = self.here();
                self.land(&open.continues, here);
                self.expression(condition);
                self.push(Instruction::JumpIf(start));
                let here = self.here();
                self.land(&open.breaks, here);
            }
            Statement::ForIn(variable, array, body) => {
                self.push(Instruction::Loop(*array));
                let start = self.push(Instruction::LoopNext(0));
                self.push(Instruction::Assign(None, Place::Variable(*variable)));
                self.push(Instruction::Pop);
                self.loops.push(Loop::default());
                self.statement(body);
                let open = self.loops.pop().unwrap_or_default();
                self.land(&open.continues, start);
                self.push(Instruction::Jump(start));
                let here = self.here();
                self.land(&open.breaks, here);
                self.land(&[start], here);
                self.push(Instruction::LoopEnd);
            }
            Statement::Break | Statement::Continue => {
                let jump = self.push(Instruction::Jump(0));
                if let Some(open) = self.loops.last_mut() {
                    let list =
                        if matches!(statement, Statement::Break) { &mut open.breaks } else { &mut open.continues };
                    list.push(jump);
                }
            }
            Statement::Next => drop(self.push(Instruction::Next)),
            Statement::NextFile => drop(self.push(Instruction::NextFile)),
            Statement::Exit(status) => {
                if let Some(status) = status {
                    self.expression(status);
                }
                self.push(Instruction::Exit(status.is_some()));
            }
            Statement::Return(value) => {
                match value {
                    Some(value) => self.expression(value),
                    None => drop(self.push(Instruction::Push(Value::Uninitialized))),
                }
                self.push(Instruction::Return);
            }
            Statement::Delete(array, None) => drop(self.push(Instruction::DeleteAll(*array))),
            Statement::Delete(array, Some(key)) => {
                self.key(key);
                self.push(Instruction::Delete(*array));
            }
        }
    }

    fn for_loop(
        &mut self,
        start: Option<&Statement>,
        condition: Option<&Expression>,
        step: Option<&Statement>,
        body: &Statement,
    ) {
        if let Some(start) = start {
            self.statement(start);
        }
        let top = self.here();
        let exit = condition.map(|condition| {
            self.expression(condition);
            self.push(Instruction::JumpUnless(0))
        });
        self.loops.push(Loop::default());
        self.statement(body);
        let open = self.loops.pop().unwrap_or_default();
        let here = self.here();
        self.land(&open.continues, here);
        if let Some(step) = step {
            self.statement(step);
        }
        self.push(Instruction::Jump(top));
        let here = self.here();
        self.land(&open.breaks, here);
        if let Some(exit) = exit {
            self.land(&[exit], here);
        }
    }

    fn destination(&mut self, target: Option<&Target>) -> Destination {
        let (name, destination) = match target {
            None => return Destination::Standard,
            Some(Target::File(name)) => (name, Destination::File),
            Some(Target::Append(name)) => (name, Destination::Append),
            Some(Target::Command(name)) => (name, Destination::Command),
        };
        self.expression(name);
        destination
    }

    fn key(&mut self, key: &[Expression]) {
        for part in key {
            self.expression(part);
        }
        self.push(Instruction::Key(key.len()));
    }

    /// Pushes what a place needs.
    fn place(&mut self, target: &Expression) -> Place {
        match target {
            Expression::Field(index) => {
                self.expression(index);
                Place::Field
            }
            Expression::Element(array, key) => {
                self.key(key);
                Place::Element(*array)
            }
            Expression::Variable(variable) => Place::Variable(*variable),
            // The parser lets nothing else be a target.
            _ => Place::Variable(Variable::Global(0)),
        }
    }

    fn pair(&mut self, left: &Expression, right: &Expression) {
        self.expression(left);
        self.expression(right);
    }

    fn expression(&mut self, expression: &Expression) {
        match expression {
            Expression::Number(number) => drop(self.push(Instruction::Push(Value::Number(*number)))),
            Expression::String(text) => drop(self.push(Instruction::Push(Value::String(text.clone())))),
            Expression::Pattern(pattern) => drop(self.push(Instruction::MatchRecord(*pattern))),
            Expression::Variable(_) | Expression::Field(_) | Expression::Element(..) => {
                let place = self.place(expression);
                self.push(Instruction::Load(place));
            }
            Expression::Assign(operator, target, value) => {
                let place = self.place(target);
                self.expression(value);
                self.push(Instruction::Assign(*operator, place));
            }
            Expression::Conditional(condition, then, otherwise) => {
                self.expression(condition);
                let skip = self.push(Instruction::JumpUnless(0));
                self.expression(then);
                let end = self.push(Instruction::Jump(0));
                let here = self.here();
                self.land(&[skip], here);
                self.expression(otherwise);
                let here = self.here();
                self.land(&[end], here);
            }
            Expression::And(left, right) | Expression::Or(left, right) => {
                self.expression(left);
                self.push(Instruction::Truth);
                let is_and = matches!(expression, Expression::And(..));
                let end =
                    self.push(if is_and { Instruction::JumpKeepingUnless(0) } else { Instruction::JumpKeepingIf(0) });
                self.expression(right);
                self.push(Instruction::Truth);
                let here = self.here();
                self.land(&[end], here);
            }
            Expression::Not(operand) => self.unary(operand, Instruction::Not),
            Expression::Negative(operand) => self.unary(operand, Instruction::Negative),
            Expression::Positive(operand) => self.unary(operand, Instruction::Positive),
            Expression::Arithmetic(operator, left, right) => {
                self.pair(left, right);
                self.push(Instruction::Arithmetic(*operator));
            }
            Expression::Comparison(comparison, left, right) => {
                self.pair(left, right);
                self.push(Instruction::Compare(*comparison));
            }
            Expression::Concatenation(left, right) => {
                self.pair(left, right);
                self.push(Instruction::Concatenate);
            }
            Expression::Match(is_negated, left, right) => {
                self.expression(left);
                let pattern = self.pattern(right);
                self.push(Instruction::Match { pattern, is_negated: *is_negated });
            }
            Expression::In(key, array) => {
                self.key(key);
                self.push(Instruction::In(*array));
            }
            Expression::Increment { target, by, is_prefix } => {
                let place = self.place(target);
                self.push(Instruction::Increment { place, by: *by, is_prefix: *is_prefix });
            }
            // A list that is no key: its parts are one string, as in a key.
            Expression::List(list) => self.key(list),
            Expression::Parentheses(inner) => self.expression(inner),
            Expression::Call(function, arguments) => {
                for (position, argument) in arguments.iter().enumerate() {
                    if let Expression::Variable(variable) = argument {
                        self.push(Instruction::ArgumentVariable(*variable, *function, position));
                    } else {
                        self.expression(argument);
                        self.push(Instruction::Argument);
                    }
                }
                self.push(Instruction::Call(*function, arguments.len()));
            }
            Expression::Builtin(builtin, arguments) => self.builtin(*builtin, arguments),
            Expression::Getline(source, target) => {
                let place = target.as_ref().map(|target| self.place(target));
                let origin = match source {
                    Source::Main => Origin::Main,
                    Source::File(name) => {
                        self.expression(name);
                        Origin::File
                    }
                    Source::Command(name) => {
                        self.expression(name);
                        Origin::Command
                    }
                };
                self.push(Instruction::Getline(origin, place));
            }
        }
    }

    fn unary(&mut self, operand: &Expression, instruction: Instruction) {
        self.expression(operand);
        self.push(instruction);
    }

    /// A regular expression: its number, or `None` if it is a string on the stack.
    fn pattern(&mut self, expression: &Expression) -> Option<usize> {
        match expression {
            Expression::Pattern(pattern) => Some(*pattern),
            other => {
                self.expression(other);
                None
            }
        }
    }

    fn builtin(&mut self, builtin: Builtin, arguments: &[Expression]) {
        match (builtin, arguments) {
            (Builtin::Length, [Expression::Variable(variable)]) => drop(self.push(Instruction::Length(*variable))),
            (Builtin::Split, [text, Expression::Variable(array), rest @ ..]) => {
                self.expression(text);
                let separator = match rest.first() {
                    None => Separator::Default,
                    Some(separator) => self.pattern(separator).map_or(Separator::Dynamic, Separator::Pattern),
                };
                self.push(Instruction::Split(*array, separator));
            }
            (Builtin::Sub | Builtin::Gsub, [pattern, replacement, rest @ ..]) => {
                let record = Expression::Field(Box::new(Expression::Number(0.0)));
                let place = self.place(rest.first().unwrap_or(&record));
                let pattern = self.pattern(pattern);
                self.expression(replacement);
                self.push(Instruction::Substitute { pattern, place, is_global: builtin == Builtin::Gsub });
            }
            (Builtin::Match, [text, pattern]) => {
                self.expression(text);
                let pattern = self.pattern(pattern);
                self.push(Instruction::MatchPosition(pattern));
            }
            (builtin, arguments) => {
                for argument in arguments {
                    self.expression(argument);
                }
                self.push(Instruction::Builtin(builtin, arguments.len()));
            }
        }
    }
}
