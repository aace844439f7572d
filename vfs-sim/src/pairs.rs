//! A map whose order is never seen, and whose keys are no strings: it is saved as sorted pairs.

use std::hash::Hash;

use imbl::GenericHashMap;
use imbl::shared_ptr::DefaultSharedPtr;
use rustc_hash::FxBuildHasher;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A map that clones share, without the randomness of the usual one.
pub(crate) type Table<K, V> = GenericHashMap<K, V, FxBuildHasher, DefaultSharedPtr>;

pub(crate) fn serialize<K, V, S>(map: &Table<K, V>, serializer: S) -> Result<S::Ok, S::Error>
where
    K: Serialize + Ord + Hash,
    V: Serialize,
    S: Serializer,
{
    let mut pairs: Vec<_> = map.iter().collect();
    pairs.sort_unstable_by(|a, b| a.0.cmp(b.0));
    serializer.collect_seq(pairs)
}

pub(crate) fn deserialize<'de, K, V, D>(deserializer: D) -> Result<Table<K, V>, D::Error>
where
    K: Deserialize<'de> + Hash + Eq + Clone,
    V: Deserialize<'de> + Clone,
    D: Deserializer<'de>,
{
    Vec::<(K, V)>::deserialize(deserializer).map(|pairs| pairs.into_iter().collect())
}
