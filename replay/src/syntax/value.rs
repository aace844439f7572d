//! Arguments as strace prints them.

/// An argument, or a part of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// `8`, `0755`, `0x1f`, `-1`
    Number(i128),
    /// `NULL`, `AT_FDCWD`, `MS_BIND`, `WNOHANG`
    Name(String),
    /// `"a\nb"`
    Text {
        /// The bytes, without escapes.
        bytes: Vec<u8>,
        /// Whether strace has cut it: `"..."...`.
        is_cut: bool,
    },
    /// `3</path>`, `AT_FDCWD</path>`: what strace prints with `-y`.
    Described {
        /// What is before the path.
        value: Box<Value>,
        /// What is in the angle brackets.
        description: Vec<u8>,
    },
    /// `MS_BIND|MS_REC`
    Union(Vec<Value>),
    /// `1<<CAP_SYS_ADMIN`
    Shifted(Box<Value>, Box<Value>),
    /// `8192*1024`
    Product(Box<Value>, Box<Value>),
    /// `[1, 2]`, also of signals: `[INT TERM]`
    List(Vec<Value>),
    /// `{st_mode=S_IFDIR|0755, ...}`
    Structure(Vec<Field>),
    /// `makedev(0x1, 0x3)`
    Applied(String, Vec<Value>),
    /// `WIFEXITED(s) && WEXITSTATUS(s) == 0`: what is joined by `&&`, each a comparison or not.
    All(Vec<(Value, Option<Value>)>),
    /// `{...} => {...}`: before the call, and after it.
    Changed(Box<Value>, Box<Value>),
    /// What has no structure that is of use here.
    Other(Vec<u8>),
}

/// A part of a structure, or an argument with a name (`flags=CLONE_NEWNS`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// The name, if it has one.
    pub name: Option<String>,
    /// What it is.
    pub value: Value,
}

impl Value {
    /// The field of a structure with this name.
    pub fn field(&self, name: &str) -> Option<&Value> {
        match self {
            Self::Structure(fields) => named(fields, name),
            Self::Changed(before, after) => before.field(name).or_else(|| after.field(name)),
            _ => None,
        }
    }
}

/// The one of some fields with this name.
pub(crate) fn named<'a>(fields: &'a [Field], name: &str) -> Option<&'a Value> {
    fields.iter().find(|field| field.name.as_deref() == Some(name)).map(|field| &field.value)
}
