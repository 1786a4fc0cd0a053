//! The API's reference, made from its own description (`/api/openapi.json`), with who may call what.

use crate::web::api;
use crate::web::pages::visit::Visit;
use crate::web::pages::{Page, html};
use askama::Template;
use axum::response::Response;
use serde_json::Value;

/// Which route opens for whom: the table that `tests/attacks.rs` tries with real requests.
const DOORS: &str = include_str!("../../../tests/golden/doors.txt");

#[derive(Template)]
#[template(path = "reference.html", config = "src/web/askama.toml")]
struct ReferencePage {
    page: Page,
    about: String,
    groups: Vec<Group>,
    schemas: Vec<Schema>,
}

/// What belongs together.
struct Group {
    tag: String,
    operations: Vec<Operation>,
}

struct Operation {
    method: String,
    path: String,
    id: String,
    summary: String,
    who: Doors,
    parameters: Vec<Parameter>,
    body: Option<(String, Kind)>,
    answers: Vec<Answer>,
}

/// Who gets in.
#[derive(Debug, Default, PartialEq, Eq)]
struct Doors {
    anyone: bool,
    roles: Vec<&'static str>,
    scopes: Vec<&'static str>,
}

struct Parameter {
    name: String,
    place: String,
    required: bool,
    kind: Kind,
    text: String,
}

struct Answer {
    status: String,
    text: String,
    kind: Option<Kind>,
}

/// A type in words, and the form that it names.
struct Kind {
    words: String,
    schema: Option<String>,
}

struct Schema {
    name: String,
    text: String,
    kind: Kind,
    fields: Vec<Parameter>,
}

impl ReferencePage {
    /// Everybody who is signed in.
    fn is_everybody(&self, who: &Doors) -> bool {
        who.roles.len() == crate::model::people::Role::ALL.len()
    }
    fn roles(&self, who: &Doors) -> Vec<String> {
        who.roles.iter().map(|role| self.page.word("role", role)).collect()
    }
}

/// The page.
pub async fn show(visit: Visit) -> Response {
    let page = visit.page("/help/api").await;
    let document = serde_json::to_value(api::openapi().await.0).unwrap_or_default();
    let about = text(&document["info"]["description"]);
    html(&ReferencePage { page, about, groups: groups(&document), schemas: schemas(&document) })
}

fn groups(document: &Value) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for (path, item) in document["paths"].as_object().into_iter().flatten() {
        for (method, o) in item.as_object().into_iter().flatten() {
            let tag = text(&o["tags"][0]);
            let operation = operation(&method.to_uppercase(), path, o);
            match groups.iter_mut().find(|g| g.tag == tag) {
                Some(group) => group.operations.push(operation),
                None => groups.push(Group { tag, operations: vec![operation] }),
            }
        }
    }
    groups.sort_by(|a, b| a.tag.cmp(&b.tag));
    groups
}

fn operation(method: &str, path: &str, o: &Value) -> Operation {
    let id: String =
        format!("{method}{path}").chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect();
    let parameters = list(&o["parameters"]).iter().map(|p| Parameter {
        name: text(&p["name"]),
        place: text(&p["in"]),
        required: p["required"] == true,
        kind: kind(&p["schema"]),
        text: text(&p["description"]),
    });
    let answers = o["responses"].as_object().into_iter().flatten().map(|(status, a)| Answer {
        status: status.clone(),
        text: text(&a["description"]),
        kind: content(&a["content"]).map(|(_, kind)| kind),
    });
    let summary = [text(&o["summary"]), text(&o["description"])].into_iter().filter(|t| !t.is_empty()).collect::<Vec<_>>().join(" ");
    Operation {
        who: doors(method, path),
        method: method.into(),
        path: path.into(),
        id,
        summary,
        parameters: parameters.collect(),
        body: content(&o["requestBody"]["content"]),
        answers: answers.collect(),
    }
}

fn schemas(document: &Value) -> Vec<Schema> {
    let all = document["components"]["schemas"].as_object();
    let schema = |(name, s): (&String, &Value)| {
        let required = list(&s["required"]);
        let fields = s["properties"].as_object().into_iter().flatten().map(|(field, f)| Parameter {
            name: field.clone(),
            place: String::new(),
            required: required.iter().any(|r| r == field),
            kind: kind(f),
            text: text(&f["description"]),
        });
        Schema { name: name.clone(), text: text(&s["description"]), kind: kind(s), fields: fields.collect() }
    };
    all.into_iter().flatten().map(schema).collect()
}

/// The first kind of content that is described: media type, and what stands in it.
fn content(content: &Value) -> Option<(String, Kind)> {
    let (media, what) = content.as_object()?.iter().next()?;
    Some((media.clone(), kind(&what["schema"])))
}

fn kind(schema: &Value) -> Kind {
    let plain = |words: String| Kind { words, schema: None };
    if let Some(name) = schema["$ref"].as_str().and_then(|r| r.rsplit('/').next()) {
        return Kind { words: String::new(), schema: Some(name.into()) };
    }
    if let Some(words) = schema["enum"].as_array() {
        return plain(words.iter().map(text).collect::<Vec<_>>().join(" | "));
    }
    for several in ["oneOf", "anyOf", "allOf"] {
        let some: Vec<&Value> = list(&schema[several]).iter().filter(|s| s["type"] != "null").collect();
        if let [one] = some.as_slice() {
            return kind(one);
        }
        if !some.is_empty() {
            return plain(some.iter().map(|s| kind(s).said()).collect::<Vec<_>>().join(" | "));
        }
    }
    let mut types = match &schema["type"] {
        Value::Array(all) => all.iter().map(text).filter(|t| t != "null").collect::<Vec<_>>().join(" | "),
        one => text(one),
    };
    if types == "array" {
        let of = kind(&schema["items"]);
        return Kind { words: format!("[] {}", of.words), schema: of.schema };
    }
    if let Some(format) = schema["format"].as_str() {
        types = format!("{types} ({format})");
    }
    plain(types)
}

impl Kind {
    fn said(&self) -> String {
        self.schema.clone().unwrap_or_else(|| self.words.clone())
    }
}

/// From the table of doors; what is not in it (signing out) is everybody's who is signed in.
fn doors(method: &str, path: &str) -> Doors {
    let roles = || crate::model::people::Role::ALL.iter().map(|r| r.as_str());
    let of_path = || DOORS.lines().filter(|l| l.ends_with(&format!(" {path}")));
    // A method that is not tried has its route's other one beside it: both stand behind the same door.
    let Some(line) = of_path().find(|l| l.split_whitespace().next() == Some(method)).or_else(|| of_path().next()) else {
        return Doors { anyone: false, roles: roles().collect(), scopes: vec![] };
    };
    let opens = line.split_whitespace().nth(1).unwrap_or_default();
    let legend = DOORS.lines().find(|l| l.starts_with("# a=")).unwrap_or_default();
    let names = legend.split_whitespace().filter_map(|w| w.split_once('=')).map(|(_, name)| name);
    let open: Vec<&'static str> = names.zip(opens.chars()).filter(|(_, c)| *c == '+').map(|(name, _)| name).collect();
    let scopes = open.iter().filter_map(|n| n.strip_prefix("token:")).collect();
    Doors { anyone: open.contains(&"nobody"), roles: roles().filter(|r| open.contains(r)).collect(), scopes }
}

/// Without the marks of code that descriptions have.
fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().replace('`', "")
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_call_an_operation_is_what_the_table_of_doors_says() {
        assert_eq!(doors("POST", "/api/v1/sessions"), Doors { anyone: false, roles: vec!["officer"], scopes: vec![] });
        assert!(doors("POST", "/api/v1/login").anyone);
        let listed = doors("GET", "/api/v1/sessions");
        assert!(!listed.roles.contains(&"administrator") && listed.scopes == ["list_unit_sessions"], "{listed:?}");
    }

    #[tokio::test]
    async fn every_operation_and_every_form_of_the_description_is_in_the_reference() {
        let document = serde_json::to_value(api::openapi().await.0).unwrap();
        let described: usize = document["paths"].as_object().unwrap().values().map(|p| p.as_object().unwrap().len()).sum();
        let groups = groups(&document);
        assert_eq!(groups.iter().map(|g| g.operations.len()).sum::<usize>(), described);
        let known = schemas(&document);
        for o in groups.iter().flat_map(|g| &g.operations) {
            let in_table = DOORS.lines().any(|l| l.ends_with(&format!(" {}", o.path)));
            assert!(in_table || o.path.ends_with("/logout"), "{} {} is not in the table of doors", o.method, o.path);
            let named =
                o.body.iter().map(|(_, k)| k).chain(o.answers.iter().filter_map(|a| a.kind.as_ref())).filter_map(|k| k.schema.as_ref());
            for name in named {
                assert!(known.iter().any(|s| s.name == *name), "{name}");
            }
        }
    }
}
