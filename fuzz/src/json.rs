//! Documents of JSON, changed by choices: whatever the choices are, a document comes of them.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::choice::Choices;

/// How many changes there are at most.
const MAX_CHANGES: u8 = 6;

/// No list and no object is made larger than this.
const MAX_MEMBERS: usize = 12;

/// What can be put into a document.
pub(crate) struct Vocabulary {
    keys: Vec<String>,
    values: Vec<Value>,
}

impl Vocabulary {
    /// What is in the documents, and these strings.
    pub(crate) fn of(documents: &[Value], strings: &[&str]) -> Self {
        let mut keys = BTreeSet::new();
        let mut values = Vec::new();
        for document in documents {
            collect(document, &mut keys, &mut values);
        }
        values.extend(strings.iter().map(|string| json!(string)));
        let others = ["", "\n", "a\u{0}b", "é", "..", ".", "/", "//", "/./a/../b"];
        values.extend(others.map(Value::from));
        values.extend([json!(null), json!(true), json!(false), json!([]), json!({}), json!([47, 255])]);
        values.extend([0, 1, -1, i64::from(u32::MAX), i64::from(i32::MAX), i64::MAX, i64::MIN].map(Value::from));
        values.extend([json!(u64::MAX), json!(0.5), json!(1e300), json!("x".repeat(256)), json!("a/".repeat(2100))]);
        values.dedup();
        Self { keys: keys.into_iter().collect(), values }
    }

    fn value(&self, choices: &mut Choices<'_>) -> Value {
        let index = usize::from(choices.byte()) << 8 | usize::from(choices.byte());
        self.values[index % self.values.len()].clone()
    }

    fn key(&self, choices: &mut Choices<'_>) -> String {
        let index = usize::from(choices.byte());
        self.keys.get(index % self.keys.len().max(1)).cloned().unwrap_or_default()
    }

    /// Changes a document.
    pub(crate) fn change(&self, document: &mut Value, choices: &mut Choices<'_>) {
        for _ in 0..choices.below(MAX_CHANGES) {
            let value = self.value(choices);
            self.change_once(descend(document, choices), value, choices);
        }
    }

    fn change_once(&self, node: &mut Value, value: Value, choices: &mut Choices<'_>) {
        match (choices.below(8), node) {
            (0, Value::Object(members)) => {
                let index = usize::from(choices.byte()) % members.len().max(1);
                if let Some(key) = members.keys().nth(index).cloned() {
                    members.remove(&key);
                }
            }
            (1 | 2, Value::Object(members)) if members.len() < MAX_MEMBERS => {
                members.insert(self.key(choices), value);
            }
            (0, Value::Array(members)) => {
                members.truncate(usize::from(choices.byte()) % (members.len() + 1));
            }
            (1, Value::Array(members)) if members.len() < MAX_MEMBERS => members.push(value),
            (2, Value::Array(members)) if members.len() < MAX_MEMBERS => {
                let copy = members.get(usize::from(choices.byte()) % members.len().max(1)).cloned();
                members.extend(copy);
            }
            (3, Value::Array(members)) => members.reverse(),
            (4, Value::String(text)) => text.push_str(value.as_str().unwrap_or("/")),
            (5, node) => *node = json!([node.take()]),
            (6, node) => *node = Value::Object(Map::from_iter([(self.key(choices), node.take())])),
            (_, node) => *node = value,
        }
    }
}

/// A place in the document.
fn descend<'v>(node: &'v mut Value, choices: &mut Choices<'_>) -> &'v mut Value {
    let members = match node {
        Value::Array(members) => members.len(),
        Value::Object(members) => members.len(),
        _ => 0,
    };
    // The last choice is to stay.
    let index = usize::from(choices.below(u8::try_from(members + 1).unwrap_or(u8::MAX)));
    if index == members {
        return node;
    }
    let next = match node {
        Value::Array(members) => members.get_mut(index),
        Value::Object(members) => members.values_mut().nth(index),
        _ => None,
    };
    match next {
        Some(next) => descend(next, choices),
        // There are as many members as were counted.
        None => unreachable!("{index} of {members}"),
    }
}

fn collect(value: &Value, keys: &mut BTreeSet<String>, values: &mut Vec<Value>) {
    values.push(value.clone());
    match value {
        Value::Array(members) => members.iter().for_each(|member| collect(member, keys, values)),
        Value::Object(members) => {
            keys.extend(members.keys().cloned());
            members.values().for_each(|member| collect(member, keys, values));
        }
        _ => {}
    }
}
