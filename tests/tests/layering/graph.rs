//! The graph of a crate's files: which file names what another one defines.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use crate::modules::{Module, Path as ModulePath, Reference};

/// What the files of one target import from each other.
pub(crate) struct Graph {
    /// For each file, the files that it imports from, and the names of what it imports.
    pub(crate) edges: BTreeMap<String, BTreeMap<String, BTreeSet<String>>>,
}

impl Graph {
    /// That of the target with this root file; files are named relative to `root`.
    pub(crate) fn of(root: &Path, target: &Path) -> Self {
        let modules = Modules::new(Module::tree(target));
        let name = |file: &PathBuf| file.strip_prefix(root).unwrap_or(file).display().to_string();
        let mut edges: BTreeMap<String, BTreeMap<String, BTreeSet<String>>> = BTreeMap::new();
        for module in &modules.all {
            let from = edges.entry(name(&module.file)).or_default();
            for reference in module.references.iter().filter(|reference| module.imports(reference)) {
                for definer in modules.definers(&reference.path, &mut Vec::new()) {
                    if definer.file != module.file {
                        let what = reference.path.last().cloned().unwrap_or_default();
                        from.entry(name(&definer.file)).or_default().insert(what);
                    }
                }
            }
        }
        Self { edges }
    }

    pub(crate) fn files(&self) -> usize {
        self.edges.len()
    }
}

/// All modules of a target. Two of them may have one path, each for another configuration.
struct Modules {
    all: Vec<Module>,
    by_path: BTreeMap<ModulePath, Vec<usize>>,
}

impl Modules {
    fn new(all: Vec<Module>) -> Self {
        let mut by_path: BTreeMap<ModulePath, Vec<usize>> = BTreeMap::new();
        for (index, module) in all.iter().enumerate() {
            by_path.entry(module.path.clone()).or_default().push(index);
        }
        Self { all, by_path }
    }

    fn at<'m>(&'m self, path: &[String]) -> impl Iterator<Item = &'m Module> {
        self.by_path.get(path).into_iter().flatten().map(|&index| &self.all[index])
    }

    /// The modules that define what a path names; none if that is another crate.
    fn definers(&self, path: &ModulePath, on_the_way: &mut Vec<ModulePath>) -> Vec<&Module> {
        if on_the_way.contains(path) {
            return Vec::new();
        }
        on_the_way.push(path.clone());
        let module = (0..=path.len()).rev().find(|&length| self.by_path.contains_key(&path[..length]));
        let (module, item) = path.split_at(module.unwrap_or_default());
        let Some(name) = item.first() else { return self.at(module).collect() };
        let mut found = Vec::new();
        for module in self.at(module) {
            found.extend(self.definers_in(module, name, item, on_the_way));
        }
        found
    }

    fn definers_in<'m>(
        &'m self,
        module: &'m Module,
        name: &String,
        item: &[String],
        on_the_way: &mut Vec<ModulePath>,
    ) -> Vec<&'m Module> {
        if module.defined.contains(name) {
            return vec![module];
        }
        if let Some(imported) = module.names.get(name) {
            let through = |path: &ModulePath| [&path[..], &item[1..]].concat();
            return imported.iter().flat_map(|path| self.definers(&through(path), on_the_way)).collect();
        }
        if module.path.is_empty()
            && let Some(exporting) = self.all.iter().find(|module| module.exported_macros.contains(name))
        {
            return vec![exporting];
        }
        for glob in &module.globs {
            let through = [&glob[..], item].concat();
            let found = self.definers(&through, on_the_way);
            if found.iter().any(|found| found.defined.contains(name)) {
                return found;
            }
        }
        // What a macro made, for one.
        vec![module]
    }
}

impl Module {
    /// Whether a reference is more than a re-export of something of a child's that this module does not use.
    fn imports(&self, reference: &Reference) -> bool {
        let of_a_child = reference.path.len() > self.path.len() && reference.path.starts_with(&self.path);
        !(reference.is_reexport && of_a_child)
            || reference.known_as.as_ref().is_some_and(|name| self.used.contains(name))
    }
}
