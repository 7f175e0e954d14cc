//! Circles in a graph of files.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fmt,
};

use crate::graph::Graph;

/// Files each of which reaches each other one.
pub(crate) struct Circle {
    pub(crate) files: BTreeSet<String>,
    /// One of the shortest ways around, each step with the names for which it is there.
    way: Vec<(String, BTreeSet<String>)>,
}

/// The strongly connected components of two files and more.
pub(crate) fn of(graph: &Graph) -> Vec<Circle> {
    let reached: BTreeMap<&String, BTreeSet<&String>> =
        graph.edges.keys().map(|file| (file, reached_from(graph, file))).collect();
    let mut seen = BTreeSet::new();
    let mut circles = Vec::new();
    for (file, others) in &reached {
        if seen.contains(file) || !others.contains(file) {
            continue;
        }
        let is_mutual = |other: &&&String| reached.get(**other).is_some_and(|back| back.contains(file));
        let files: BTreeSet<&String> = others.iter().filter(is_mutual).copied().collect();
        seen.extend(files.iter().copied());
        circles.push(Circle {
            way: shortest_way_around(graph, &files),
            files: files.into_iter().cloned().collect(),
        });
    }
    circles
}

/// All files that a file reaches by one edge or more; itself among them if it is in a circle.
fn reached_from<'g>(graph: &'g Graph, from: &String) -> BTreeSet<&'g String> {
    let next = |file: &String| graph.edges.get(file).into_iter().flat_map(BTreeMap::keys);
    let mut reached = BTreeSet::new();
    let mut queue: Vec<&String> = next(from).collect();
    while let Some(file) = queue.pop() {
        if reached.insert(file) {
            queue.extend(next(file));
        }
    }
    reached
}

fn shortest_way_around(graph: &Graph, files: &BTreeSet<&String>) -> Vec<(String, BTreeSet<String>)> {
    let ways = files.iter().filter_map(|start| way_back(graph, files, start));
    ways.min_by_key(Vec::len).unwrap_or_default()
}

/// The shortest way from a file back to it, by breadth-first search.
fn way_back(
    graph: &Graph,
    files: &BTreeSet<&String>,
    start: &String,
) -> Option<Vec<(String, BTreeSet<String>)>> {
    let mut before: BTreeMap<&String, &String> = BTreeMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(file) = queue.pop_front() {
        for next in graph.edges.get(file)?.keys().filter(|next| files.contains(next)) {
            if next == start {
                let mut way = vec![(file.clone(), graph.edges[file][next].clone())];
                let mut at = file;
                while at != start {
                    let previous = before[at];
                    way.push((previous.clone(), graph.edges[previous][at].clone()));
                    at = previous;
                }
                way.reverse();
                return Some(way);
            }
            if !before.contains_key(next) {
                before.insert(next, file);
                queue.push_back(next);
            }
        }
    }
    None
}

/// The files, and one way around as a comment.
impl fmt::Display for Circle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (file, names) in &self.way {
            let names: Vec<_> = names.iter().map(String::as_str).collect();
            writeln!(f, "# {file} imports {} from", names.join(", "))?;
        }
        if let Some((first, _)) = self.way.first() {
            writeln!(f, "# {first}")?;
        }
        for file in &self.files {
            writeln!(f, "{file}")?;
        }
        Ok(())
    }
}
