//! Expressions without back-references, as automata of `regex-automata`.

use std::cell::RefCell;

use regex_automata::nfa::thompson::{self, pikevm};
use regex_automata::util::syntax;
use regex_automata::{Anchored, Input, MatchKind, meta};
use regex_syntax::hir::{Capture, Class, ClassBytes, ClassBytesRange, Hir, Repetition};

use super::Match;
use super::syntax::{Error, Node};

/// How big an automaton may become, in bytes.
const SIZE_LIMIT: usize = 32 << 20;

/// An expression that is ready to be searched for.
pub(super) struct Automaton {
    /// Finds where the leftmost match begins.
    leftmost: meta::Regex,
    /// Finds the longest match from there; none if all matches at a place are the same.
    longest: Option<(pikevm::PikeVM, RefCell<pikevm::Cache>)>,
}

impl Automaton {
    pub(super) fn new(node: &Node) -> Result<Self, Error> {
        let hir = translate(node);
        let leftmost = meta::Builder::new()
            .configure(meta::Config::new().utf8_empty(false).nfa_size_limit(Some(SIZE_LIMIT)))
            .syntax(syntax::Config::new().utf8(false).unicode(false))
            .build_from_hir(&hir)
            .map_err(|_| Error::TooBig)?;
        let longest = if is_fixed(node) { None } else { Some(longest(&hir)?) };
        Ok(Self { leftmost, longest })
    }

    pub(super) fn is_match(&self, text: &[u8]) -> bool {
        self.leftmost.is_match(text)
    }

    pub(super) fn find(&self, text: &[u8], start: usize, groups: usize) -> Option<Match> {
        let found = self.leftmost.find(Input::new(text).range(start..))?;
        let Some((longest, cache)) = &self.longest else {
            return Some(Match { range: found.range(), groups: Vec::new() });
        };
        let input = Input::new(text).range(found.start()..).anchored(Anchored::Yes);
        let mut captures = longest.create_captures();
        longest.captures(&mut cache.borrow_mut(), input, &mut captures);
        let range = captures.get_group(0).map_or(found.range(), |span| span.start..span.end);
        let groups = (1..=groups).map(|index| captures.get_group(index).map(|span| span.start..span.end)).collect();
        Some(Match { range, groups })
    }
}

fn longest(hir: &Hir) -> Result<(pikevm::PikeVM, RefCell<pikevm::Cache>), Error> {
    let nfa = thompson::Compiler::new()
        .configure(thompson::Config::new().utf8(false).nfa_size_limit(Some(SIZE_LIMIT)))
        .build_from_hir(hir)
        .map_err(|_| Error::TooBig)?;
    let machine = pikevm::Builder::new()
        .configure(pikevm::Config::new().match_kind(MatchKind::All))
        .build_from_nfa(nfa)
        .map_err(|_| Error::TooBig)?;
    let cache = RefCell::new(machine.create_cache());
    Ok((machine, cache))
}

/// Whether all matches that begin at one place are the same, and there are no groups.
fn is_fixed(node: &Node) -> bool {
    match node {
        Node::Empty | Node::Byte(_) | Node::Look(_) => true,
        Node::Concatenation(nodes) => nodes.iter().all(is_fixed),
        Node::Alternation(_) | Node::Repetition { .. } | Node::Group(..) | Node::BackReference(_) => false,
    }
}

fn translate(node: &Node) -> Hir {
    match node {
        // Expressions with back-references don't come here.
        Node::Empty | Node::BackReference(_) => Hir::empty(),
        Node::Byte(set) => {
            Hir::class(Class::Bytes(ClassBytes::new(set.bytes().map(|byte| ClassBytesRange::new(byte, byte)))))
        }
        Node::Concatenation(nodes) => Hir::concat(nodes.iter().map(translate).collect()),
        Node::Alternation(nodes) => Hir::alternation(nodes.iter().map(translate).collect()),
        Node::Repetition { node, minimum, maximum } => {
            Hir::repetition(Repetition { min: *minimum, max: *maximum, greedy: true, sub: Box::new(translate(node)) })
        }
        Node::Group(node, index) => Hir::capture(Capture {
            index: u32::try_from(*index).unwrap_or(u32::MAX),
            name: None,
            sub: Box::new(translate(node)),
        }),
        Node::Look(look) => Hir::look(*look),
    }
}
