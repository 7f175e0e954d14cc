//! Types that hold themselves, and how deep they go.
//!
//! serde_json reads 127 lists and maps in each other, rmp-serde 1,023; what is deeper stays in its process.
//!
//! Larder knows the types as what they are: bincode quotes its errors, and through `erased_serde` they would be quoted
//! anew at each level, which doubles their length.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{row::Expected, table};

/// Deeper than serde_json reads.
const NOT_JSON: Expected = Expected::shared([true, false, true]);

/// Each node is a struct in an `Option`: two levels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Node {
    id: u32,
    next: Option<Box<Node>>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Tree {
    Leaf,
    Branch(Box<Tree>),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Folder {
    name: String,
    children: Vec<Folder>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Scopes(BTreeMap<String, Scopes>);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "op")]
enum Expression {
    Number { value: i64 },
    Not { of: Box<Expression> },
}

/// One holds the other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Question {
    text: String,
    answers: Vec<Answer>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Answer {
    text: String,
    follow_up: Option<Box<Question>>,
}

fn list(nodes: u32) -> Node {
    (1..nodes).fold(Node { id: 0, next: None }, |next, id| Node { id, next: Some(Box::new(next)) })
}

fn tree(nodes: u32) -> Tree {
    (1..nodes).fold(Tree::Leaf, |inner, _| Tree::Branch(Box::new(inner)))
}

fn folder(nodes: u32) -> Folder {
    let folder = |children| Folder { name: "folder".to_owned(), children };
    (1..nodes).fold(folder(vec![]), |inner, _| folder(vec![inner]))
}

fn scopes(nodes: u32) -> Scopes {
    (1..nodes).fold(Scopes(BTreeMap::new()), |inner, _| Scopes(BTreeMap::from([("a".to_owned(), inner)])))
}

fn expression(nodes: u32) -> Expression {
    (1..nodes).fold(Expression::Number { value: -1 }, |of, _| Expression::Not { of: Box::new(of) })
}

fn question(nodes: u32) -> Question {
    let question = |follow_up| Question {
        text: "why?".to_owned(),
        answers: vec![Answer { text: "so".to_owned(), follow_up }],
    };
    (1..nodes).fold(question(None), |inner, _| question(Some(Box::new(inner))))
}

table! {
    pub(super) fn rows;
    concrete "a list of 1": Node = [list(1)];
    concrete "a list of 2": Node = [list(2)];
    concrete "a list of 63": Node = [list(63)];
    concrete "a list of 64": Node = [list(64)];
    concrete "a list of 65": Node = [list(65)];
    concrete "a list of 127": Node = [list(127)];
    concrete "a list of 128": Node = [list(128)] => NOT_JSON;
    concrete "a list of 500": Node = [list(500)] => NOT_JSON;
    concrete "a tree of 63": Tree = [tree(63)];
    concrete "a tree of 65": Tree = [tree(65)];
    concrete "a tree of 127": Tree = [tree(127)];
    concrete "a tree of 500": Tree = [tree(500)] => NOT_JSON;
    concrete "folders, 20 deep": Folder = [folder(20)];
    concrete "folders, 60 deep": Folder = [folder(60)];
    concrete "folders, 500 deep": Folder = [folder(500)] => NOT_JSON;
    concrete "maps in maps, 60 deep": Scopes = [scopes(60)];
    concrete "maps in maps, 120 deep": Scopes = [scopes(120)];
    concrete "maps in maps, 500 deep": Scopes = [scopes(500)] => NOT_JSON;
    concrete "a tagged expression, 30 deep": Expression = [expression(30)] => Expected::shared([true, true, false]);
    concrete "questions, 20 deep": Question = [question(20)];
}
