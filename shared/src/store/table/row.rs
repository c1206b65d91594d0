//! A row in DynamoDB's JSON (DynamoDB API Reference, "AttributeValue"), decoded straight into its type. The SDK makes a map
//! of attributes of each row, and `serde_dynamo` another: three quarters of the cost of a listed member
//! (docs/decisions/0018).

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::{CowStrDeserializer, MapAccessDeserializer};
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, forward_to_deserialize_any};

use crate::store::keys::{Attribute, Key};

/// A decoded row: its key and its other attributes.
#[derive(Debug)]
pub(in crate::store) struct Row<T> {
    pub(in crate::store) key: Key,
    pub(in crate::store) item: T,
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Row<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(RowVisitor(PhantomData))
    }
}

/// The attributes of a key, which are all texts, by name.
#[derive(Debug, Deserialize)]
pub(super) struct Texts(pub(super) HashMap<String, TypedText>);

/// A text, in the object that names its type.
#[derive(Debug, Deserialize)]
pub(super) struct TypedText {
    #[serde(rename = "S")]
    pub(super) text: String,
}

struct RowVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for RowVisitor<T> {
    type Value = Row<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a row")
    }

    fn visit_map<A: MapAccess<'de>>(self, row: A) -> Result<Row<T>, A::Error> {
        let mut fields = RowFields { row, partition: None, sort: None };
        let item = T::deserialize(MapAccessDeserializer::new(&mut fields))?;
        let key = fields.partition.zip(fields.sort).map(|(partition, sort)| Key::from_parts(partition, sort));
        Ok(Row { key: key.ok_or_else(|| Error::custom("a row without its key"))?, item })
    }
}

/// A row's attributes without the types of their values. The key's two attributes are kept apart.
struct RowFields<A> {
    row: A,
    partition: Option<String>,
    sort: Option<String>,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for &mut RowFields<A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        while let Some(Text(name)) = self.row.next_key()? {
            let aside = match &*name {
                name if name == Attribute::Pk.as_str() => &mut self.partition,
                name if name == Attribute::Sk.as_str() => &mut self.sort,
                _ => return seed.deserialize(CowStrDeserializer::new(name)).map(Some),
            };
            *aside = Some(self.row.next_value_seed(Typed(PhantomData))?);
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.row.next_value_seed(Typed(seed))
    }
}

/// A text of the response, borrowed where it has no escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// A value, in the object that names its type.
struct Typed<S>(S);

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Typed<S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<S::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, S: DeserializeSeed<'de>> Visitor<'de> for Typed<S> {
    type Value = S::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value with its type")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut typed: A) -> Result<S::Value, A::Error> {
        let Some(Text(name)) = typed.next_key()? else { return Err(Error::custom("a value without its type")) };
        // Texts, sets and booleans are plain JSON. Lists have types inside; no listed row has any.
        let value = match &*name {
            "N" => {
                let Text(digits) = typed.next_value()?;
                self.0.deserialize(Number(&digits, PhantomData))?
            }
            "M" => typed.next_value_seed(Entries(self.0))?,
            _ => typed.next_value_seed(self.0)?,
        };
        typed.next_key::<IgnoredAny>()?.map_or(Ok(value), |_| Err(Error::custom("a value of two types")))
    }
}

/// A map, whose values have types inside.
struct Entries<S>(S);

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Entries<S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<S::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, S: DeserializeSeed<'de>> Visitor<'de> for Entries<S> {
    type Value = S::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map")
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<S::Value, A::Error> {
        self.0.deserialize(TypedEntries(entries))
    }
}

/// The entries of a map without the types of their values.
struct TypedEntries<A>(A);

impl<'de, A: MapAccess<'de>> Deserializer<'de> for TypedEntries<A> {
    type Error = A::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, A::Error> {
        visitor.visit_map(self)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, A::Error> {
        visitor.visit_some(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for TypedEntries<A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        self.0.next_key_seed(seed)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.0.next_value_seed(Typed(seed))
    }
}

/// A number, which DynamoDB sends as a text.
struct Number<'a, E>(&'a str, PhantomData<E>);

impl<'de, E: Error> Deserializer<'de> for Number<'_, E> {
    type Error = E;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
        match self.0.parse() {
            Ok(number) => visitor.visit_u64(number),
            Err(_) => visitor.visit_i64(self.0.parse().map_err(|_| E::custom("no whole number of 64 bits"))?),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, E> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct enum identifier ignored_any
    }
}
