//! JSON Schemas (draft 2020-12) of the messages, and of the agent's configuration.
//!
//! They say what is accepted, but for `error`, which is only written. Not every rule can be said in them: what a schema
//! takes may still be refused, with a message that names it.

use std::borrow::Cow;

use schemars::generate::SchemaSettings;
use schemars::transform::{Transform, transform_subschemas};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::Value;

use crate::agent::{AgentConfigFile, FLAGS};
use crate::error::Report;
use crate::kernel::{Bytes, Capabilities, Errno};
use crate::messages::{
    CapabilityName, ContainerConfig, ContainerId, ContainerLaunchInfo, ContainerState, Namespace, RecoverRequest,
    Resource,
};

/// The names of the schemas.
pub const NAMES: [&str; 9] = [
    "agent-config",
    "container-config",
    "container-id",
    "container-state",
    "error",
    "launch-info",
    "record",
    "resources",
    "states",
];

/// The schema with this name, one of [`NAMES`].
pub fn schema(name: &str) -> Option<Value> {
    let settings = SchemaSettings::draft2020_12().with_transform(PlainDescriptions);
    let accepted = |schema: fn(SchemaGenerator) -> Schema| schema(settings.clone().into_generator());
    let mut schema = match name {
        "agent-config" => accepted(SchemaGenerator::into_root_schema_for::<AgentConfigFile>),
        "container-config" => accepted(SchemaGenerator::into_root_schema_for::<ContainerConfig>),
        "container-id" => accepted(SchemaGenerator::into_root_schema_for::<ContainerId>),
        "container-state" => accepted(SchemaGenerator::into_root_schema_for::<ContainerState>),
        "error" => settings.for_serialize().into_generator().into_root_schema_for::<Report>(),
        "launch-info" => accepted(SchemaGenerator::into_root_schema_for::<ContainerLaunchInfo>),
        "record" => record(),
        "resources" => accepted(SchemaGenerator::into_root_schema_for::<Vec<Resource>>),
        "states" => accepted(SchemaGenerator::into_root_schema_for::<RecoverRequest>),
        _ => return None,
    };
    schema.insert("title".into(), name.into());
    Some(schema.to_value())
}

/// Descriptions are what rustdoc says, without its links and line breaks.
#[derive(Clone, Debug)]
struct PlainDescriptions;

impl Transform for PlainDescriptions {
    fn transform(&mut self, schema: &mut Schema) {
        if let Some(Value::String(text)) = schema.get_mut("description") {
            let paragraphs: Vec<_> = text.split("\n\n").map(|paragraph| paragraph.replace('\n', " ")).collect();
            *text = without_links(&paragraphs.join("\n\n"));
        }
        transform_subschemas(self, schema);
    }
}

/// Of ``[`name`](path)`` and ``[`name`]``, the name.
fn without_links(text: &str) -> String {
    let mut result = String::new();
    let mut rest = text;
    while let Some((before, link)) = rest.split_once("[`") {
        let Some((name, after)) = link.split_once("`]") else { break };
        let after_path = after.strip_prefix('(').and_then(|path| path.split_once(')'));
        result.extend([before, "`", name, "`"]);
        rest = after_path.map_or(after, |(_, after)| after);
    }
    result + rest
}

/// Implements [`JsonSchema`] for types whose JSON is not what serde derives.
macro_rules! schemas {
    ($($type:ty, $name:literal => $schema:expr;)*) => {$(
        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                $name.into()
            }

            fn schema_id() -> Cow<'static, str> {
                concat!(module_path!(), "::", $name).into()
            }

            fn json_schema(generator: &mut SchemaGenerator) -> Schema {
                let schema: fn(&mut SchemaGenerator) -> Schema = $schema;
                schema(generator)
            }
        }
    )*};
}

schemas! {
    Bytes, "Bytes" => |_| json_schema!({
        "description": "Bytes: a string where they are UTF-8, else an array of their values.",
        "anyOf": [
            { "type": "string" },
            { "type": "array", "items": { "type": "integer", "minimum": 0, "maximum": 255 } },
        ],
    });

    ContainerId, "ContainerId" => |generator| json_schema!({
        "description": "The id of a container; a nested container has a parent.",
        "type": "object",
        "properties": {
            "value": {
                "description": "The container's own part of the id, which can be one component of a path.",
                "type": "string",
                "pattern": r"^(?!\.\.?$)[^/\u0000-\u001f\u007f]{1,255}$",
            },
            "parent": {
                "description": "The container that it is nested in.",
                "anyOf": [generator.subschema_for::<ContainerId>(), { "type": "null" }],
            },
        },
        "required": ["value"],
    });

    Namespace, "Namespace" => |_| json_schema!({
        "description": "A kind of namespace: the value of its CLONE_NEW* flag, for a mount, pid, ipc, uts, net or cgroup \
                        namespace.",
        "type": "integer",
        "enum": Namespace::ALL.map(u64::from),
    });

    CapabilityName, "CapabilityName" => |_| json_schema!({
        "description": "A capability, by its name without CAP_.",
        "type": "string",
        "enum": Capabilities::all().iter_names().map(|(name, _)| name.replacen("CAP_", "", 1)).collect::<Vec<_>>(),
    });

    Errno, "Errno" => |_| json_schema!({
        "description": "An error of a system call: its name, or its number if it has none.",
        "anyOf": [{ "type": "string", "pattern": "^E[A-Z0-9]+$" }, { "type": "integer" }],
    });
}

/// Of a file that [`record::write`](crate::record::write) makes. What it is a record of has a schema of its own, or is our business.
fn record() -> Schema {
    json_schema!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "description": "What an agent writes down for itself: a file of three lines, one for each of these, in this order.",
        "type": "object",
        "properties": {
            "sha256": {
                "description": "The checksum of all that follows the first line.",
                "type": "string",
                "pattern": "^[0-9a-f]{64}$",
            },
            "of": {
                "description": "The path of the file, below runtime_dir or work_dir.",
                "type": "string",
            },
            "record": {
                "description": "What is recorded: of `config` a container-config, of `launch_info` a launch-info.",
            },
        },
        "required": ["sha256", "of", "record"],
        "additionalProperties": false,
    })
}

/// Of `AgentConfigFile::tmpfs_sizes`.
pub(crate) fn tmpfs_sizes(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": ["object", "null"],
        "propertyNames": { "pattern": "^/" },
        "additionalProperties": { "type": "string", "pattern": "^[1-9][0-9]*[kKmMgG%]?$" },
    })
}

/// Of `SpecialMountEntry::flags`.
pub(crate) fn mount_flag_names(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "array", "items": { "type": "string", "enum": FLAGS.map(|(name, _)| name) } })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[test]
    fn every_name_has_a_schema() {
        for name in NAMES {
            let schema = schema(name).unwrap();
            assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema", "{name}");
        }
        assert_eq!(schema("no-such-schema"), None);
    }

    #[rstest]
    #[case("As [`launch`](crate::launch::launch) has it.", "As `launch` has it.")]
    #[case("[`A`] and [`B`](c).", "`A` and `B`.")]
    #[case("a [b] `c` [`d", "a [b] `c` [`d")]
    fn descriptions_have_no_links(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(without_links(text), expected);
    }
}
